/**
 * The field in which one writes. What was begun in a room stays with the room.
 */

import { LINES_MAX, typedLines, understand } from "../commands.js";
import { currentRoom } from "../model.js";
import { byteLength } from "../protocol.js";
import { title } from "../room.js";
import { byId, setText } from "./dom.js";

/** @import { Dispatch, View } from "./view.js" */

/** How much of the window's height the field may take. */
const TALLEST = 0.35;

/** @param {Dispatch} dispatch @returns {View & { focus: () => void }} */
export function composer(dispatch) {
  const form = byId("composer", HTMLFormElement);
  const field = byId("composer-text", HTMLTextAreaElement);
  const label = byId("composer-label", HTMLElement);
  const hint = byId("composer-hint", HTMLElement);
  /** @type {Map<string, string>} */
  const drafts = new Map();
  /** @type {string | null} */
  let room = null;
  let lastWritten = "";
  let textMax = 4096;

  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, window.innerHeight * TALLEST)}px`;
  };
  /** @param {string} text @param {boolean} [wrong] */
  const say = (text, wrong = false) => {
    setText(hint, text);
    hint.classList.toggle("wrong", wrong);
    if (wrong) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  };
  /** What stands in the way of sending this, or `null`. @param {string[]} lines */
  const obstacle = (lines) => {
    if (lines.length > LINES_MAX) return `${lines.length} lines are too many; at most ${LINES_MAX} are sent at once.`;
    const longest = Math.max(0, ...lines.map(byteLength));
    return longest > textMax ? `A message has at most ${textMax.toLocaleString()} bytes; this has ${longest.toLocaleString()}. Split it.` : null;
  };
  const check = () => {
    const lines = typedLines(field.value);
    const wrong = obstacle(lines);
    if (wrong !== null) say(wrong, true);
    else say(lines.length > 1 ? `Enter sends ${lines.length} messages, one for each line.` : "");
  };
  /** @param {string} text */
  const set = (text) => {
    field.value = text;
    grow();
    check();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const lines = typedLines(field.value);
    if (lines.length === 0 || obstacle(lines) !== null) return;
    lastWritten = field.value;
    set("");
    dispatch({ type: "intents", intents: understand(lines) });
  });
  field.addEventListener("input", () => {
    grow();
    check();
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "ArrowUp" && field.value === "" && lastWritten !== "" && !event.altKey) {
      event.preventDefault();
      set(lastWritten);
    }
  });

  return {
    focus: () => field.focus(),
    render(state) {
      const current = currentRoom(state);
      textMax = state.limits.text;
      form.hidden = current === null;
      if (current === null) return;
      const words = `Message ${title(current)}`;
      setText(label, words);
      field.placeholder = words;
      if (current.key === room) return;
      if (room !== null) drafts.set(room, field.value);
      room = current.key;
      set(drafts.get(room) ?? "");
    },
  };
}
