/**
 * Dialogs and drawers: one at most is open, and the state says which. On a wide window the panels
 * of rooms and members stand beside the room; on a narrow one they are drawers.
 */

import { COMMANDS } from "../commands.js";
import { byId, el, setError } from "./dom.js";

/** @import { Dialog, State } from "../model.js" */
/** @import { Dispatch, View } from "./view.js" */

/** The same widths as in styles/layout.css. */
const ROOMS_BESIDE = matchMedia("(min-width: 48rem)");
const MEMBERS_BESIDE = matchMedia("(min-width: 68rem)");

/** @param {Dispatch} dispatch @returns {View} */
export function dialogs(dispatch) {
  /** @type {ReadonlyMap<Dialog, HTMLDialogElement>} */
  const all = new Map([
    ["rooms", byId("rooms-drawer", HTMLDialogElement)], ["members", byId("members-drawer", HTMLDialogElement)],
    ["directory", byId("directory", HTMLDialogElement)], ["help", byId("help", HTMLDialogElement)],
    ["you", byId("you", HTMLDialogElement)], ["search", byId("search", HTMLDialogElement)],
    ["device", byId("device", HTMLDialogElement)], ["question", byId("question", HTMLDialogElement)],
  ]);
  /** @type {Dialog} */
  let open = "none";

  for (const [name, dialog] of all) {
    dialog.addEventListener("close", () => dispatch({ type: "closed", dialog: name }));
    // A press on the backdrop is one on the dialog itself, outside of what it holds.
    dialog.addEventListener("pointerdown", (event) => {
      if (event.target === dialog && outside(dialog, event)) dialog.close();
    });
  }
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-dialog]") : null;
    if (button instanceof HTMLElement) dispatch({ type: "dialog", dialog: /** @type {Dialog} */ (button.dataset.dialog) });
  });
  place(ROOMS_BESIDE, "rooms", dispatch);
  place(MEMBERS_BESIDE, "members", dispatch);
  fillHelp();

  return {
    render(state) {
      const wanted = state.phase === "chat" ? state.dialog : "none";
      if (wanted === open) return;
      const before = all.get(open);
      open = wanted;
      before?.close();
      const dialog = all.get(wanted);
      dialog?.showModal();
      // By itself the focus goes to the button that closes.
      const first = dialog?.querySelector("input:not(:disabled), .list button[tabindex='0']");
      if (first instanceof HTMLElement) first.focus();
    },
  };
}

/** @param {MediaQueryList} beside @param {"rooms" | "members"} name @param {Dispatch} dispatch */
function place(beside, name, dispatch) {
  const panel = byId(`${name}-panel`, HTMLElement);
  const put = () => byId(beside.matches ? `${name}-slot` : `${name}-drawer`, HTMLElement).append(panel);
  put();
  beside.addEventListener("change", () => {
    if (byId(`${name}-drawer`, HTMLDialogElement).open) dispatch({ type: "dialog", dialog: "none" });
    put();
  });
}

/** @param {HTMLElement} dialog @param {PointerEvent} event */
function outside(dialog, event) {
  const box = dialog.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

function fillHelp() {
  const table = byId("help-commands", HTMLElement);
  for (const { name, aliases, arguments: args, summary } of COMMANDS) {
    const also = aliases.length > 0 ? ` (also ${aliases.join(", ")})` : "";
    table.append(el("dt", {}, el("code", {}, `${name} ${args}`.trimEnd())), el("dd", {}, `${summary}${also}`));
  }
  table.append(el("dt", {}, el("code", {}, "//text")), el("dd", {}, "a message that begins with a slash"));
}

/** Who one is: the nickname, whether one is seen, and the way out. @param {Dispatch} dispatch @returns {View} */
export function you(dispatch) {
  const form = byId("you-form", HTMLFormElement);
  const field = byId("you-nick", HTMLInputElement);
  const error = byId("you-error", HTMLElement);
  const hidden = byId("you-hidden", HTMLInputElement);
  /** @type {State["dialog"]} */
  let shown = "none";
  let nick = "";

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = field.value.trim();
    if (wanted === "") setError(field, error, "Enter a nickname.");
    else if (wanted === nick) dispatch({ type: "dialog", dialog: "none" });
    else dispatch({ type: "rename", nick: wanted });
  });
  hidden.addEventListener("change", () => {
    dispatch({ type: "intents", intents: [hidden.checked ? { kind: "hide", nick: "" } : { kind: "reveal", nick: "" }] });
  });
  byId("you-quit", HTMLButtonElement).addEventListener("click", () => dispatch({ type: "intents", intents: [{ kind: "quit" }] }));

  return {
    render(state) {
      nick = state.nick;
      for (const control of form.elements) /** @type {HTMLInputElement} */ (control).disabled = !state.welcomed;
      hidden.disabled = !state.welcomed;
      hidden.checked = state.hidden;
      if (state.dialog === "you" && shown !== "you") field.value = nick;
      shown = state.dialog;
      setError(field, error, state.formError?.dialog === "you" ? state.formError.message : "");
    },
  };
}
