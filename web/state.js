/**
 * The page's state and every change of it: `update` is (state, event, now) → state, and pure.
 *
 * A step that needs something from the server puts it into `send`; what is missing for the room
 * that is looked at (its newest messages, its members) is asked for at the end of each step, so
 * that no other code has to think of it.
 */

import { PAGE_MAX } from "./protocol.js";
import * as outbox from "./outbox.js";
import { ROWS_AT_END, bounded, emptyRoom, newest, oldest, position } from "./room.js";
import { INITIAL, ask, currentRoom, listed, look, put, show, target } from "./model.js";
import { receive } from "./incoming.js";
import { carryOut, enterRoom, leaveRoom, openDirect } from "./intents.js";

/** @import { ServerEvent } from "./protocol.js" */
/** @import { Intent } from "./commands.js" */
/** @import { Status } from "./connection.js" */
/** @import { Dialog, State } from "./model.js" */

/** Messages that a room begins with, and that "earlier" adds. */
const HISTORY_PAGE = 50;

/**
 * @typedef {{ type: "login", nick: string, automatic?: boolean }
 *   | { type: "cancel-login" }
 *   | { type: "remember", rooms: { name: string, with: string | null }[], current: string | null }
 *   | { type: "opened" }
 *   | { type: "status", status: Status }
 *   | { type: "received", event: ServerEvent }
 *   | { type: "tick" }
 *   | { type: "intents", intents: Intent[] }
 *   | { type: "show", key: string } | { type: "step", by: 1 | -1 }
 *   | { type: "direct", nick: string }
 *   | { type: "enter", how: "create" | "join", room: string }
 *   | { type: "leave", key: string }
 *   | { type: "rename", nick: string }
 *   | { type: "older" } | { type: "at-end" } | { type: "more-members" } | { type: "more-rooms" }
 *   | { type: "dialog", dialog: Dialog }
 *   | { type: "attention", here: boolean }
 *   | { type: "again", id: string } | { type: "discard", id: string }} Event
 */

/**
 * @param {State} state @param {Event} event @param {number} now
 * @returns {State}
 */
export function update(state, event, now) {
  return deliver(complete(step({ ...state, send: [] }, event, now)), now);
}

/** @param {State} state @param {Event} event @param {number} now @returns {State} */
function step(state, event, now) {
  switch (event.type) {
    case "login": return { ...state, phase: "entering", nick: event.nick, automatic: event.automatic ?? false, loginError: "" };
    case "cancel-login": return { ...state, phase: "login", automatic: false };
    case "remember": return remember(state, event.rooms, event.current);
    case "opened": return hello(state);
    case "status": return connectionChanged(state, event.status);
    case "received": return received(state, event.event, now);
    case "tick": return state.helloAt !== null && now >= state.helloAt ? hello({ ...state, helloAt: null }) : state;
    case "intents": return event.intents.reduce((next, intent) => carryOut(next, intent, now), state);
    case "show": return show({ ...state, dialog: "none" }, event.key);
    case "step": return neighbour(state, event.by);
    case "direct": return openDirect(state, event.nick);
    case "enter": return enterRoom(state, event.how, event.room, true);
    case "leave": return leaveRoom(state, event.key);
    case "rename": return ask({ ...state, formError: null }, { type: "nick", nick: event.nick }, { kind: "nick", form: true });
    case "older": return older(state);
    case "at-end": {
      const room = currentRoom(state);
      return room ? put(state, bounded(room, ROWS_AT_END)) : state;
    }
    case "more-members": return moreMembers(state);
    case "more-rooms": return listRooms(state, true);
    case "dialog": return openDialog(state, event.dialog);
    case "attention": return look({ ...state, attentive: event.here });
    case "again": return { ...state, outbox: outbox.again(state.outbox, event.id, now) };
    case "discard": return { ...state, outbox: outbox.without(state.outbox, event.id) };
  }
}

/** When the page has to look again without being told anything, or `null`. @param {State} state @param {number} now */
export function nextTick(state, now) {
  const sending = state.welcomed ? outbox.nextAt(state.outbox, state.limits, now) : null;
  const times = [sending, state.helloAt].filter((at) => at !== null);
  return times.length > 0 ? Math.min(...times) : null;
}

/** @param {State} state @param {ServerEvent} event @param {number} now @returns {State} */
function received(state, event, now) {
  const next = receive(state, event, now);
  // Who said goodbye starts afresh.
  return next.phase === "login" && event.type === "disconnect" ? { ...INITIAL, nick: state.nick } : next;
}

/** The rooms that one was in before a reload. @param {State} state @param {{ name: string, with: string | null }[]} rooms @param {string | null} current @returns {State} */
function remember(state, rooms, current) {
  let next = state;
  for (const { name, with: other } of rooms) {
    next = put(next, emptyRoom(other === null ? `#${name.toLowerCase()}` : `@${other.toLowerCase()}`, name, other));
  }
  return { ...next, current: current !== null && next.rooms.has(current) ? current : null };
}

/** @param {State} state @returns {State} */
function hello(state) {
  const named = [...state.rooms.values()].filter((room) => room.name !== null).slice(0, state.limits.rooms);
  const rooms = named.map((room) => ({ room: room.name, position: position(room) }));
  const where = state.returning || rooms.length > 0 ? { rooms } : {};
  return ask(state, { type: "hello", nick: state.nick, ...where }, { kind: "hello" });
}

/** @param {State} state @param {Status} status @returns {State} */
function connectionChanged(state, status) {
  const next = { ...state, status };
  if (status.kind === "open") return next;
  const rooms = new Map([...state.rooms].map(([key, room]) => [key, {
    ...room, present: false,
    history: room.history === "loading" ? (oldest(room) === null ? /** @type {const} */ ("none") : /** @type {const} */ ("more")) : room.history,
  }]));
  const lost = { ...next, rooms, welcomed: false, requests: new Map(), helloAt: null, outbox: outbox.broken(state.outbox) };
  if (status.kind !== "closed" || state.phase !== "entering") return lost;
  return { ...lost, phase: "login", loginError: status.reason };
}

/** @param {State} state @param {1 | -1} by */
function neighbour(state, by) {
  const rooms = listed(state);
  const index = rooms.findIndex((room) => room.key === state.current);
  const next = rooms.at((index + by) % rooms.length);
  return next ? show(state, next.key) : state;
}

/** @param {State} state @returns {State} */
function older(state) {
  const room = currentRoom(state);
  const before = room && oldest(room);
  if (!room || before === null || room.history !== "more" || !state.welcomed) return state;
  const command = { type: "history", ...target(room), before, limit: HISTORY_PAGE };
  return ask(put(state, { ...room, history: "loading" }), command, { kind: "history", key: room.key, of: "older" });
}

/** @param {State} state @returns {State} */
function moreMembers(state) {
  const room = currentRoom(state);
  if (!room || room.roll !== "some" || !state.welcomed) return state;
  const command = { type: "members", room: room.name, after: room.members.at(-1), limit: PAGE_MAX };
  return ask(put(state, { ...room, roll: "loading" }), command, { kind: "members", key: room.key, further: true, show: false });
}

/** @param {State} state @param {boolean} further @returns {State} */
function listRooms(state, further) {
  if (!state.welcomed) return state;
  const after = further ? { after: state.directory.rows.at(-1)?.room } : {};
  const next = { ...state, directory: { ...state.directory, loading: true } };
  return ask(next, { type: "rooms", ...after, limit: PAGE_MAX }, { kind: "rooms", further, show: false });
}

/** @param {State} state @param {Dialog} dialog @returns {State} */
function openDialog(state, dialog) {
  const next = { ...state, dialog, formError: null };
  return dialog === "directory" ? listRooms(next, false) : next;
}

/** Asks for what is missing of what is looked at. @param {State} state @returns {State} */
function complete(state) {
  if (!state.welcomed) return state;
  let next = state;
  const room = currentRoom(state);
  if (room && room.history === "none" && room.present) {
    const command = { type: "history", ...target(room), limit: HISTORY_PAGE };
    next = ask(put(next, { ...room, history: "loading" }), command, { kind: "history", key: room.key, of: "newest" });
  }
  const now = currentRoom(next);
  if (now?.present && now.with === null && (now.roll === "none" || now.roll === "stale")) {
    const command = { type: "members", room: now.name, limit: PAGE_MAX };
    next = ask(put(next, { ...now, roll: "loading" }), command, { kind: "members", key: now.key, further: false, show: false });
  }
  return lookUp(next);
}

/** What became of the messages that were on their way when the connection broke? @param {State} state @returns {State} */
function lookUp(state) {
  const asked = [...state.requests.values()].filter((request) => request.kind === "history" && request.of === "lookup");
  const busy = new Set(asked.map((request) => ("key" in request ? request.key : null)));
  let next = state;
  for (const item of state.outbox.items) {
    const room = state.rooms.get(item.room);
    if (item.state !== "unsure" || !room || busy.has(room.key) || !room.present) continue;
    busy.add(room.key);
    const command = { type: "history", ...target(room), after: item.after, limit: PAGE_MAX };
    next = ask(next, command, { kind: "history", key: room.key, of: "lookup" });
  }
  return next;
}

/** Sends what waits and may go. @param {State} state @param {number} now @returns {State} */
function deliver(state, now) {
  if (!state.welcomed || state.outbox.items.length === 0) return state;
  const { outbox: box, go } = outbox.take(state.outbox, now, state.limits, (key) => {
    const room = state.rooms.get(key);
    return room && (room.present || room.with !== null) ? newest(room) : null;
  });
  const commands = go.map((item) => ({
    type: "send", id: item.id, ...target(/** @type {import("./room.js").Room} */ (state.rooms.get(item.room))),
    text: item.text, ...(item.action ? { action: true } : {}),
  }));
  return { ...state, outbox: box, send: [...state.send, ...commands] };
}
