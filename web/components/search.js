/**
 * Looking for messages by their words, in the room that one is in. A hit leads to its place.
 */

import { fullTime, hue, moment, when } from "../format.js";
import { snippet } from "../highlight.js";
import { title } from "../room.js";
import { byId, el, named, setError, setText } from "./dom.js";
import { KeyedList, roving } from "./list.js";

/** @import { Message } from "../protocol.js" */
/** @import { Search, State } from "../model.js" */
/** @import { Dispatch, View } from "./view.js" */

/** @param {Dispatch} dispatch @returns {View} */
export function search(dispatch) {
  const form = byId("search-form", HTMLFormElement);
  const field = byId("search-words", HTMLInputElement);
  const error = byId("search-error", HTMLElement);
  const where = byId("search-where", HTMLElement);
  const element = byId("search-list", HTMLElement);
  const empty = byId("search-empty", HTMLElement);
  const more = byId("search-more", HTMLButtonElement);
  const list = new KeyedList(element);
  const refresh = roving(element);
  /** @type {State | null} */
  let last = null;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dispatch({ type: "search", words: field.value });
  });
  field.addEventListener("input", () => setError(field, error, ""));
  field.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    element.querySelector("button")?.focus();
  });
  element.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    const key = last?.search.key ?? null;
    if (button?.dataset.seq !== undefined && key !== null) dispatch({ type: "go", key, seq: Number(button.dataset.seq) });
  });
  more.addEventListener("click", () => dispatch({ type: "search-further" }));

  return {
    render(state) {
      const opened = state.dialog === "search" && last?.dialog !== "search";
      const same = last?.search === state.search && last.formError === state.formError && last.rooms === state.rooms;
      // What `/search` looks for is to be seen in the field.
      if (state.search.words !== last?.search.words || opened) field.value = state.search.words;
      last = state;
      if (state.dialog !== "search" || (same && !opened)) return;
      const room = state.search.key === null ? undefined : state.rooms.get(state.search.key);
      setText(where, room ? `Messages in ${title(room)}` : "Messages");
      setError(field, error, state.formError?.dialog === "search" ? state.formError.message : "");
      const { rows, words, phase } = state.search;
      const now = Date.now();
      list.render(rows.map((message) => ({ key: String(message.seq), parts: [message, words], build: () => hit(message, words, now) })));
      refresh();
      setText(empty, emptyWords(state.search));
      empty.hidden = empty.textContent === "";
      more.hidden = !state.search.more;
      more.disabled = phase === "loading" || !state.welcomed;
    },
  };
}

/** @param {Search} state */
function emptyWords({ phase, rows, words }) {
  if (phase === "loading" && rows.length === 0) return "Looking…";
  if (phase === "done" && rows.length === 0) return `Nothing found for ${words}.`;
  return phase === "idle" ? "Words, in any order, and “quoted phrases”." : "";
}

/** @param {Message} message @param {string} words @param {number} now */
function hit({ seq, from, at, text }, words, now) {
  return el("li", {}, el("button", { type: "button", class: "row hit", "data-seq": String(seq) },
    el("span", { class: "hit-head" }, named(from, `author ${hue(from)}`), " ",
      el("time", { class: "clock", datetime: moment(at).toISOString(), title: fullTime(at) }, when(at, now))),
    el("span", { class: "hit-text", dir: "auto" }, ...snippet(text, words).map((part) => (part.hit ? el("mark", {}, part.text) : part.text)))));
}
