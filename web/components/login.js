/**
 * The first thing one sees: one field, and Enter.
 */

import { connectionWords } from "../format.js";
import { NICK_MAX_CHARS } from "../protocol.js";
import { byId, setError, setText } from "./dom.js";

/** @import { Dispatch, View } from "./view.js" */

/** @param {Dispatch} dispatch @param {string} nick the nickname last used @returns {View} */
export function login(dispatch, nick) {
  const screen = byId("login", HTMLElement);
  const form = byId("login-form", HTMLFormElement);
  const field = byId("login-nick", HTMLInputElement);
  const error = byId("login-error", HTMLElement);
  const submit = byId("login-submit", HTMLButtonElement);
  const status = byId("login-status", HTMLElement);
  const words = /** @type {HTMLElement} */ (status.querySelector("span"));
  let phase = "";
  let shownError = "";
  field.value = nick;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = field.value.trim();
    shownError = "";
    if (wanted === "") setError(field, error, "Enter a nickname.");
    else if ([...wanted].length > NICK_MAX_CHARS) setError(field, error, `A nickname has at most ${NICK_MAX_CHARS} characters.`);
    else dispatch({ type: "login", nick: wanted });
  });
  byId("login-cancel", HTMLButtonElement).addEventListener("click", () => dispatch({ type: "cancel-login" }));

  return {
    render(state) {
      screen.hidden = state.phase === "chat";
      const busy = state.phase === "entering";
      submit.disabled = busy;
      field.readOnly = busy;
      status.hidden = !busy;
      if (busy) setText(words, connectionWords(state, Date.now()));
      if (busy && phase !== "entering") {
        field.value = state.nick;
        setError(field, error, "");
      }
      const arrived = phase !== state.phase;
      phase = state.phase;
      if (phase !== "login" || (!arrived && state.loginError === shownError)) return;
      shownError = state.loginError;
      setError(field, error, shownError);
      field.focus();
      field.select();
    },
  };
}
