/**
 * The keys that work everywhere on the page.
 */

/** @import { State } from "../model.js" */
/** @import { Dispatch } from "./view.js" */

/**
 * @param {Dispatch} dispatch @param {() => State} state
 * @param {{ toEnd: () => void, page: (direction: 1 | -1) => void }} timeline @param {{ focus: () => void }} composer
 */
export function keys(dispatch, state, timeline, composer) {
  document.addEventListener("keydown", (event) => {
    if (state().phase !== "chat" || event.defaultPrevented || event.isComposing) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      dispatch({ type: "dialog", dialog: state().dialog === "directory" ? "none" : "directory" });
      return;
    }
    if (command && !event.altKey && event.shiftKey && event.key.toLowerCase() === "f") {
      event.preventDefault();
      dispatch({ type: "dialog", dialog: state().dialog === "search" ? "none" : "search" });
      return;
    }
    if (state().dialog !== "none") return;
    const writing = event.target instanceof HTMLTextAreaElement;
    if (event.altKey && !command && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      dispatch({ type: "step", by: event.key === "ArrowUp" ? -1 : 1 });
    } else if (event.key === "Escape") {
      timeline.toEnd();
      composer.focus();
    } else if (writing && (event.key === "PageUp" || event.key === "PageDown")) {
      event.preventDefault();
      timeline.page(event.key === "PageUp" ? -1 : 1);
    } else if (!writing && !command && !event.altKey && isLetter(event)) {
      // Whoever begins to type means to write. The key itself goes to where the focus is now.
      composer.focus();
    }
  });
}

/** @param {KeyboardEvent} event */
function isLetter(event) {
  const { target } = event;
  const isField = target instanceof HTMLInputElement;
  return !isField && [...event.key].length === 1 && event.key !== " ";
}
