/**
 * What is asked before something is done for good.
 */

import { byId, setText } from "./dom.js";

/** @import { Question } from "../model.js" */
/** @import { Dispatch, View } from "./view.js" */

/** @param {Dispatch} dispatch @returns {View} */
export function question(dispatch) {
  const words = byId("question-words", HTMLElement);
  const detail = byId("question-detail", HTMLElement);
  const yes = byId("question-yes", HTMLButtonElement);
  /** @type {Question | null} */
  let asked = null;

  yes.addEventListener("click", () => asked && dispatch(asked.event));

  return {
    render(state) {
      if (state.question === asked || state.question === null) return;
      asked = state.question;
      setText(words, asked.words);
      setText(detail, asked.detail);
      setText(yes, asked.yes);
    },
  };
}
