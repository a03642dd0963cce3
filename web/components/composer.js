/**
 * The field in which one writes: a message, an answer, or other words for a message. What was
 * begun in a room stays with the room.
 */

import { LINES_MAX, typedLines, understand } from "../commands.js";
import { currentRoom } from "../model.js";
import { byteLength } from "../protocol.js";
import { title } from "../room.js";
import { byId, setText } from "./dom.js";

/** @import { Mode } from "../room.js" */
/** @import { Dispatch, View } from "./view.js" */

/** How much of the window's height the field may take. */
const TALLEST = 0.35;

/** @param {Dispatch} dispatch @returns {View & { focus: () => void }} */
export function composer(dispatch) {
  const form = byId("composer", HTMLFormElement);
  const field = byId("composer-text", HTMLTextAreaElement);
  const label = byId("composer-label", HTMLElement);
  const hint = byId("composer-hint", HTMLElement);
  const bar = byId("composer-mode", HTMLElement);
  const barWords = byId("composer-mode-text", HTMLElement);
  /** What was begun, by room, and by room and message that is being changed. @type {Map<string, string>} */
  const drafts = new Map();
  /** @type {string | null} */
  let room = null;
  /** @type {Mode | null} */
  let mode = null;
  let draft = "";
  let lastCommand = "";
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
    if (lines.length > 1 && mode?.kind === "edit") return "A message is one line; take out the line breaks.";
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
  const cancel = () => room !== null && dispatch({ type: "mode", key: room, mode: null });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const lines = typedLines(field.value);
    if (room === null || obstacle(lines) !== null) return;
    if (mode?.kind === "edit") {
      if (lines.length === 0) dispatch({ type: "withdraw", key: room, seq: mode.seq, sure: false });
      else dispatch({ type: "change", key: room, seq: mode.seq, text: lines[0] });
      return;
    }
    if (lines.length === 0) return;
    const intents = understand(lines);
    lastCommand = intents.every(({ kind }) => kind === "say") ? "" : field.value;
    set("");
    dispatch({ type: "intents", intents });
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
    } else if (event.key === "Escape" && mode !== null) {
      event.preventDefault();
      cancel();
    } else if (event.key === "ArrowUp" && field.value === "" && !event.altKey) {
      event.preventDefault();
      if (lastCommand !== "") set(lastCommand);
      else if (mode === null) dispatch({ type: "edit-last" });
    }
  });
  byId("composer-cancel", HTMLButtonElement).addEventListener("click", () => {
    cancel();
    field.focus();
  });

  /** Where what stands in the field is kept. */
  const place = () => (mode?.kind === "edit" ? `${room} ${mode.seq}` : `${room}`);

  return {
    focus: () => field.focus(),
    render(state) {
      const current = currentRoom(state);
      textMax = state.limits.text;
      form.hidden = current === null;
      if (current === null) return;
      const words = `Message ${title(current)}`;
      setText(label, current.mode?.kind === "edit" ? "Your message, in other words" : words);
      field.placeholder = words;
      if (current.key === room && current.mode === mode) return;
      draft = place();
      drafts.set(draft, field.value);
      if (mode?.kind === "edit" && current.key === room) drafts.delete(draft);
      const began = current.mode !== null && current.mode !== mode && current.key === room;
      room = current.key;
      mode = current.mode;
      bar.hidden = mode === null;
      if (mode) setText(barWords, mode.kind === "edit" ? "Editing your message" : `Reply to ${mode.from}: ${mode.text}`);
      if (place() !== draft) set(drafts.get(place()) ?? (mode?.kind === "edit" ? mode.text : ""));
      if (began) field.focus();
    },
  };
}
