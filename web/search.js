/**
 * Looking for messages by their words. Pure: (state, …) → state.
 */

import { WORDS_MAX, byteLength } from "./protocol.js";
import { NO_SEARCH, ask, currentRoom, target } from "./model.js";

/** @import { Found } from "./protocol.js" */
/** @import { Request, State } from "./model.js" */

/** Hits that come at once. */
const PAGE = 30;

/** Opens the search of the room one is in; what was found there last is still there. @param {State} state @returns {State} */
export function openSearch(state) {
  const same = state.search.key === state.current;
  return { ...state, dialog: "search", formError: null, search: same ? state.search : { ...NO_SEARCH, key: state.current } };
}

/** @param {State} state @param {string} typed @returns {State} */
export function lookFor(state, typed) {
  const room = currentRoom(state);
  const words = typed.trim();
  const open = openSearch(state);
  if (!room) return open;
  if (words === "") return { ...open, search: { ...NO_SEARCH, key: room.key } };
  /** @param {string} message @returns {State} */
  const wrong = (message) => ({ ...open, formError: { dialog: "search", message } });
  if (byteLength(words) > WORDS_MAX) return wrong(`At most ${WORDS_MAX} bytes can be looked for.`);
  if (!state.welcomed) return wrong("There is no connection at the moment.");
  const next = { ...open, search: { ...NO_SEARCH, key: room.key, words, phase: /** @type {const} */ ("loading") } };
  return ask(next, { type: "search", ...target(room), words, limit: PAGE }, { kind: "search", key: room.key, words, further: false });
}

/** Older hits. @param {State} state @returns {State} */
export function lookFurther(state) {
  const { key, words, rows, more, phase } = state.search;
  const room = key === null ? undefined : state.rooms.get(key);
  const last = rows.at(-1);
  if (!room || !last || !more || phase === "loading" || !state.welcomed) return state;
  const next = { ...state, search: { ...state.search, phase: /** @type {const} */ ("loading") } };
  return ask(next, { type: "search", ...target(room), words, before: last.seq, limit: PAGE }, { kind: "search", key: room.key, words, further: true });
}

/** @param {State} state @param {Found} event @param {Request | undefined} request @returns {State} */
export function found(state, event, request) {
  if (request?.kind !== "search" || !isCurrent(state, request)) return state;
  const page = event.messages.toReversed();
  const rows = request.further ? [...state.search.rows, ...page] : page;
  return { ...state, search: { ...state.search, rows, more: event.more, phase: "done" } };
}

/** @param {State} state @param {string} message @param {Request & { kind: "search" }} request @returns {State} */
export function searchRefused(state, message, request) {
  if (!isCurrent(state, request)) return state;
  const phase = state.search.rows.length > 0 ? /** @type {const} */ ("done") : /** @type {const} */ ("idle");
  return { ...state, search: { ...state.search, phase }, formError: { dialog: "search", message } };
}

/** @param {State} state @param {Request & { kind: "search" }} request */
function isCurrent(state, { key, words }) {
  return state.search.key === key && state.search.words === words;
}
