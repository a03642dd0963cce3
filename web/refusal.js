/**
 * What the server refuses, and what becomes of it. Pure: (state, error, request, now) → state.
 */

import * as outbox from "./outbox.js";
import { disclaimed } from "./own.js";
import { pastRefused } from "./past.js";
import { markMine } from "./rows.js";
import { searchRefused } from "./search.js";
import { ask, byName, drop, freshId, put, show, tell } from "./model.js";

/** @import { ErrorEvent } from "./protocol.js" */
/** @import { Outgoing } from "./outbox.js" */
/** @import { Dialog, Request, State } from "./model.js" */

/** How long one's nickname may be held by one's own dying connection: after a reload, and after a lost connection. */
const PATIENCE_AFTER_RELOAD = 12_000;
const PATIENCE_AFTER_LOSS = 55_000;
const HELLO_AGAIN_AFTER = 1_500;
/** What to wait after a `rate-limited` or `busy` that names no time. */
const PAUSE = 1_000;

/**
 * @param {State} state @param {ErrorEvent} error @param {Request | undefined} request @param {number} now
 * @returns {State}
 */
export function refused(state, error, request, now) {
  if (!request) return unasked(state, error, now);
  switch (request.kind) {
    case "hello": return helloRefused(state, error, now);
    case "enter": return enterRefused(state, error, request, now);
    case "restore": return restoreRefused(state, error, request, now);
    case "nick": return request.form ? inForm(state, "you", error.message) : tell(state, error.message, now, "error");
    case "rooms": return tell({ ...state, directory: { ...state.directory, loading: false } }, error.message, now, "error");
    case "members": {
      const room = request.key === null ? undefined : state.rooms.get(request.key);
      if (!room || request.show) return tell(state, error.message, now, "error");
      return put(state, { ...room, roll: "all" });
    }
    case "history": {
      const room = state.rooms.get(request.key);
      if (!room) return state;
      return put(state, { ...room, history: request.of === "older" ? "more" : "all" });
    }
    case "past": return tell(pastRefused(state, request), error.message, now, "error");
    case "search": return searchRefused(state, error.message, request);
    // It is told again with the next message that is read.
    case "read": return state;
    default: return tell(state, error.message, now, "error");
  }
}

/** A message, or something that the page did not label. @param {State} state @param {ErrorEvent} error @param {number} now @returns {State} */
function unasked(state, error, now) {
  const { id } = error;
  // The one request of which parts are answered without its label is hello: a room in it is gone.
  if (id === undefined) return error.code === "no-such-room" ? makeAnew(state) : tell(state, error.message, now, "error");
  const item = state.outbox.items.find((one) => one.id === id);
  if (!item) return state;
  switch (error.code) {
    case "rate-limited":
    case "busy": return { ...state, outbox: outbox.refused(state.outbox, id, now + (error.retry_after_ms ?? PAUSE)) };
    case "id-reused": return { ...state, nextId: state.nextId + 1, outbox: outbox.mistaken(state.outbox, id, freshId(state)) };
    case "not-your-message": return { ...notOurs(state, item), outbox: outbox.failed(state.outbox, id, error.message) };
    case "no-such-message":
      // What is gone need not be withdrawn.
      if (item.kind === "delete") return { ...state, outbox: outbox.without(state.outbox, id) };
  }
  return { ...state, outbox: outbox.failed(state.outbox, id, error.message) };
}

/** A message was taken for one's own by its author's name. @param {State} state @param {Outgoing} item @returns {State} */
function notOurs(state, { room: key, target }) {
  const room = state.rooms.get(key);
  if (!room || room.name === null || target === null) return state;
  return put({ ...state, own: disclaimed(state.own, room.name, room.epoch, target) }, markMine(room, target, false));
}

/** The rooms that hello named and that the server does not have: whoever comes first makes them anew. @param {State} state @returns {State} */
function makeAnew(state) {
  const asked = new Set([...state.requests.values()].map((request) => (request.kind === "restore" ? request.room : null)));
  let next = state;
  for (const { name, with: other, present, epoch } of state.rooms.values()) {
    if (name === null || other !== null || present || epoch === 0 || asked.has(name)) continue;
    next = ask(next, { type: "create", room: name }, { kind: "restore", room: name });
  }
  return next;
}

/** @param {State} state @param {ErrorEvent} error @param {number} now @returns {State} */
function helloRefused(state, error, now) {
  const since = state.takenSince ?? now;
  const patience = state.returning ? PATIENCE_AFTER_LOSS : state.automatic ? PATIENCE_AFTER_RELOAD : 0;
  if (error.code === "nick-taken" && now - since < patience) {
    return { ...state, takenSince: since, helloAt: now + HELLO_AGAIN_AFTER };
  }
  if (state.token !== null && error.code === "bad-request") {
    // What was kept is no token; without it one can at least come in.
    return { ...state, token: null, helloAt: now };
  }
  const rooms = error.code === "bad-room" ? new Map() : state.rooms;
  return { ...state, rooms, phase: "login", loginError: error.message, takenSince: null, helloAt: null };
}

/** @param {State} state @param {ErrorEvent} error @param {Request & { kind: "enter" }} request @param {number} now @returns {State} */
function enterRefused(state, error, request, now) {
  const room = byName(state, request.room);
  if (error.code === "already-a-member" && room) return show({ ...state, dialog: "none" }, room.key);
  return request.form ? inForm(state, "directory", error.message) : tell(state, error.message, now, "error");
}

/** @param {State} state @param {ErrorEvent} error @param {Request & { kind: "restore" }} request @param {number} now @returns {State} */
function restoreRefused(state, error, request, now) {
  if (error.code === "room-exists") return ask(state, { type: "join", room: request.room }, request);
  const room = byName(state, request.room);
  if (error.code === "already-a-member" || !room) return state;
  if (state.outbox.items.some((item) => item.room === room.key)) return { ...state, outbox: outbox.roomLost(state.outbox, room.key, error.message) };
  return tell(drop(state, room.key), `${request.room} is not there any more: ${error.message}`, now, "error");
}

/** @param {State} state @param {Dialog} dialog @param {string} message @returns {State} */
function inForm(state, dialog, message) {
  return { ...state, formError: { dialog, message } };
}
