/**
 * The page's state and every change of it: `update` is (state, event, now) → state, and pure.
 *
 * A step that needs something from the server puts it into `send`; what is missing for the room
 * that is looked at (its newest messages, its members) is asked for at the end of each step, so
 * that no other code has to think of it.
 */

import { PAGE_MAX } from "./protocol.js";
import * as outbox from "./outbox.js";
import { position } from "./room.js";
import { ROWS_AT_END, bounded } from "./rows.js";
import { readAndReport, reportAt } from "./reading.js";
import { INITIAL, ask, attend, currentRoom, listed, put, roomFor, show, target } from "./model.js";
import { receive } from "./incoming.js";
import { goTo, newer, older, toPresent, withoutWaiting } from "./past.js";
import { lookFor, lookFurther, openSearch } from "./search.js";
import {
  askToWithdraw, carryOut, change, editLast, enterRoom, leaveRoom, openDirect, sendAgain, setMode, signOut, withdraw,
} from "./intents.js";

/** @import { ServerEvent } from "./protocol.js" */
/** @import { Intent } from "./commands.js" */
/** @import { Status } from "./connection.js" */
/** @import { Outgoing } from "./outbox.js" */
/** @import { Mode, Room } from "./room.js" */
/** @import { Marks } from "./own.js" */
/** @import { Dialog, State } from "./model.js" */

/** Messages that a room begins with, and that "earlier" adds. */
const HISTORY_PAGE = 50;

/**
 * @typedef {object} Memory what an earlier page of this tab, or of this browser, has left
 * @property {string | null} token
 * @property {string} client
 * @property {string} prefix
 * @property {boolean} hidden
 * @property {{ name: string, with: string | null }[]} rooms
 * @property {string | null} current
 * @property {Marks[]} own
 *
 * @typedef {{ type: "login", nick: string, automatic?: boolean }
 *   | { type: "cancel-login" }
 *   | { type: "remember", memory: Memory }
 *   | { type: "outbox", items: Outgoing[] }
 *   | { type: "token", token: string, own: Marks[] } | { type: "client", client: string }
 *   | { type: "invited", nick: string, message: string }
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
 *   | { type: "older" } | { type: "newer" } | { type: "present" } | { type: "more-members" } | { type: "more-rooms" }
 *   | { type: "end", key: string, here: boolean }
 *   | { type: "go", key: string, seq: number }
 *   | { type: "mode", key: string, mode: Mode | null } | { type: "edit-last" }
 *   | { type: "change", key: string, seq: number, text: string }
 *   | { type: "withdraw", key: string, seq: number, sure: boolean }
 *   | { type: "search", words: string } | { type: "search-further" }
 *   | { type: "sign-out" }
 *   | { type: "dialog", dialog: Dialog } | { type: "closed", dialog: Dialog }
 *   | { type: "attention", here: boolean }
 *   | { type: "again", id: string } | { type: "discard", id: string }} Event
 */

/**
 * @param {State} state @param {Event} event @param {number} now
 * @returns {State}
 */
export function update(state, event, now) {
  return deliver(readAndReport(complete(step({ ...state, send: [] }, event, now)), now), now);
}

/** @param {State} state @param {Event} event @param {number} now @returns {State} */
function step(state, event, now) {
  switch (event.type) {
    case "login": return { ...state, phase: "entering", nick: event.nick, automatic: event.automatic ?? false, loginError: "" };
    case "cancel-login": return { ...state, phase: "login", automatic: false };
    case "remember": return remember(state, event.memory);
    case "outbox": return waiting(state, event.items);
    case "client": return { ...state, client: event.client };
    case "invited": return { ...state, nick: event.nick, loginError: event.message };
    case "token": return state.welcomed ? state : { ...state, token: event.token, own: byRoom(event.own), outbox: outbox.orphaned(state.outbox) };
    case "opened": return hello(state);
    case "status": return connectionChanged(state, event.status);
    case "received": return received(state, event.event, now);
    case "tick": return state.helloAt !== null && now >= state.helloAt ? hello({ ...state, helloAt: null }) : state;
    case "intents": return goodbye(event.intents.reduce((next, intent) => carryOut(next, intent, now), state));
    case "show": return show({ ...state, dialog: "none" }, event.key);
    case "step": return neighbour(state, event.by);
    case "direct": return openDirect(state, event.nick);
    case "enter": return enterRoom(state, event.how, event.room, true);
    case "leave": return leaveRoom(state, event.key);
    case "rename": return ask({ ...state, formError: null }, { type: "nick", nick: event.nick }, { kind: "nick", form: true });
    case "older": return older(state);
    case "newer": return newer(state);
    case "present": return toPresent(state);
    case "end": return end(state, event.key, event.here);
    case "go": return goTo(state, event.key, event.seq, now);
    case "mode": return setMode(state, event.key, event.mode);
    case "edit-last": return editLast(state, now);
    case "change": return change(state, event.key, event.seq, event.text, now);
    case "withdraw": return event.sure ? withdraw(state, event.key, event.seq, now) : askToWithdraw(state, event.key, event.seq);
    case "search": return lookFor(state, event.words);
    case "search-further": return lookFurther(state);
    case "sign-out": return goodbye(signOut(state, true));
    case "more-members": return moreMembers(state);
    case "more-rooms": return listRooms(state, true);
    case "dialog": return openDialog(state, event.dialog);
    // A key may have opened another one before the browser says that this one is closed.
    case "closed": return state.dialog === event.dialog ? openDialog(state, "none") : state;
    case "attention": return attend(state, event.here);
    case "again": return sendAgain(state, event.id, now);
    case "discard": return { ...state, outbox: outbox.without(state.outbox, event.id) };
  }
}

/** When the page has to look again without being told anything, or `null`. @param {State} state @param {number} now */
export function nextTick(state, now) {
  const sending = state.welcomed ? outbox.nextAt(state.outbox, state.limits, now) : null;
  const times = [sending, state.helloAt, reportAt(state)].filter((at) => at !== null);
  return times.length > 0 ? Math.min(...times) : null;
}

/** @param {State} state @param {ServerEvent} event @param {number} now @returns {State} */
function received(state, event, now) {
  const next = receive(state, event, now);
  return event.type === "disconnect" ? goodbye(next) : next;
}

/** Who said goodbye starts afresh; the numbers of ids go on. @param {State} state @returns {State} */
function goodbye(state) {
  if (state.phase !== "login") return state;
  const { nick, client, prefix, nextId, attentive, send } = state;
  return { ...INITIAL, nick, client, prefix, nextId, attentive, send };
}

/** Where one was before a reload. @param {State} state @param {Memory} memory @returns {State} */
function remember(state, { rooms, current, own, ...rest }) {
  /** @type {State} */
  let next = { ...state, ...rest, own: byRoom(own) };
  for (const { name, with: other } of rooms) next = put(next, roomFor(next, name, other));
  return { ...next, current: current !== null && next.rooms.has(current) ? current : null };
}

/** @param {Marks[]} own */
function byRoom(own) {
  return new Map(own.map((marks) => [marks.room, marks]));
}

/** What another page has left to be sent. @param {State} state @param {Outgoing[]} items @returns {State} */
function waiting(state, items) {
  let next = state;
  const placed = items.map((item) => {
    const room = roomFor(next, item.name, item.with);
    next = put(next, room);
    return { ...item, room: room.key };
  });
  const box = outbox.loaded(next.outbox, placed);
  return { ...next, outbox: next.welcomed ? outbox.resumed(box) : box };
}

/** @param {State} state @returns {State} */
function hello(state) {
  const named = [...state.rooms.values()].filter((room) => room.name !== null).slice(0, state.limits.rooms);
  // Who is known is in their rooms anyway. One that is only remembered may have been left since.
  const wanted = state.token === null ? named : named.filter((room) => room.epoch !== 0);
  const rooms = wanted.map((room) => ({ room: room.name, position: position(room) }));
  const command = {
    type: "hello", nick: state.nick, ...(state.token === null ? {} : { token: state.token }), ...(state.client ? { client: state.client } : {}),
    ...(state.returning || rooms.length > 0 ? { rooms } : {}), ...(state.hidden ? { hidden: true } : {}),
  };
  return ask(state, command, { kind: "hello" });
}

/** @param {State} state @param {Status} status @returns {State} */
function connectionChanged(state, status) {
  const next = { ...state, status };
  if (status.kind === "open") return next;
  const rooms = new Map([...state.rooms].map(([key, room]) => [key, { ...withoutWaiting(room), present: false }]));
  const search = state.search.phase === "loading" ? { ...state.search, phase: /** @type {const} */ ("idle") } : state.search;
  const lost = { ...next, rooms, search, welcomed: false, requests: new Map(), helloAt: null, outbox: outbox.broken(state.outbox) };
  if (status.kind !== "closed" || state.phase !== "entering") return lost;
  return { ...lost, phase: "login", loginError: status.reason };
}

/** Whether the end of a room is in view. @param {State} state @param {string} key @param {boolean} here @returns {State} */
function end(state, key, here) {
  if (!here) return state.endOf === key ? { ...state, endOf: null } : state;
  const room = state.rooms.get(key);
  return { ...(room ? put(state, bounded(room, ROWS_AT_END)) : state), endOf: key };
}

/** @param {State} state @param {1 | -1} by */
function neighbour(state, by) {
  const rooms = listed(state);
  const index = rooms.findIndex((room) => room.key === state.current);
  const next = rooms.at((index + by) % rooms.length);
  return next ? show(state, next.key) : state;
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
  const next = { ...state, dialog, formError: null, question: dialog === "question" ? state.question : null };
  if (dialog === "search") return openSearch(next);
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
  return next;
}

/** Sends what waits and may go. @param {State} state @param {number} now @returns {State} */
function deliver(state, now) {
  if (!state.welcomed || state.outbox.items.length === 0) return state;
  const { outbox: box, go } = outbox.take(state.outbox, now, state.limits, (item) => {
    const room = state.rooms.get(item.room);
    return room !== undefined && (room.present || (item.kind === "send" && room.with !== null));
  });
  const commands = go.map((item) => command(item, /** @type {Room} */ (state.rooms.get(item.room))));
  return { ...state, outbox: box, send: [...state.send, ...commands] };
}

/** @param {Outgoing} item @param {Room} room */
function command({ id, kind, target: seq, text, action, reply }, room) {
  switch (kind) {
    case "send": return { type: kind, id, ...target(room), text, ...(action ? { action } : {}), ...(reply ? { reply: reply.seq } : {}) };
    case "edit": return { type: kind, id, room: room.name, seq, text };
    case "delete": return { type: kind, id, room: room.name, seq };
  }
}
