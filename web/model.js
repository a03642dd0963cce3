/**
 * What the page knows, and the small steps that everything else is made of.
 *
 * The state is immutable. `send` is what the last step asks to be sent; `requests` is what is
 * still to be answered, by the label under which it was asked.
 */

import { DEFAULT_LIMITS, LOBBY, fold } from "./protocol.js";
import { emptyRoom } from "./room.js";
import { addNotice } from "./rows.js";
import { drawLine } from "./reading.js";
import { EMPTY, add } from "./outbox.js";

/** @import { Answered, Command, Limits, Message, RoomSummary } from "./protocol.js" */
/** @import { Status } from "./connection.js" */
/** @import { Outbox, Outgoing } from "./outbox.js" */
/** @import { Own } from "./own.js" */
/** @import { Event } from "./state.js" */
/** @import { Room } from "./room.js" */

/**
 * @typedef {"none" | "rooms" | "members" | "directory" | "help" | "you" | "search" | "device" | "question"} Dialog
 *
 * @typedef {{ kind: "hello" }
 *   | { kind: "enter", room: string, form: boolean }
 *   | { kind: "restore", room: string }
 *   | { kind: "leave", key: string }
 *   | { kind: "rooms", further: boolean, show: boolean }
 *   | { kind: "members", key: string | null, further: boolean, show: boolean }
 *   | { kind: "nick", form: boolean }
 *   | { kind: "hide" }
 *   | { kind: "history", key: string, of: "newest" | "older" }
 *   | { kind: "past", key: string, part: number, of: "before" | "after" }
 *   | { kind: "search", key: string, words: string, further: boolean }
 *   | { kind: "read" }
 * } Request
 *
 * @typedef {object} Search
 * @property {string | null} key the room that is searched
 * @property {string} words
 * @property {readonly Message[]} rows newest first
 * @property {boolean} more
 * @property {"idle" | "loading" | "done"} phase
 *
 * @typedef {{ words: string, detail: string, yes: string, event: Event }} Question what is asked before something is done for good
 *
 * @typedef {object} State
 * @property {"login" | "entering" | "chat"} phase
 * @property {string} nick
 * @property {string | null} token by which the server knows who we are
 * @property {string} client this tab's name among one's clients
 * @property {string} prefix what the ids of this start of the page begin with
 * @property {string} loginError
 * @property {boolean} automatic whether the page logs in by itself, after a reload
 * @property {number | null} takenSince since when the nickname is found taken, by our own old connection perhaps
 * @property {number | null} helloAt when to try again
 * @property {Status} status
 * @property {boolean} welcomed whether this connection has been let in
 * @property {boolean} returning whether there was an earlier connection
 * @property {boolean} replaced whether another page has taken this one's place
 * @property {boolean} hidden
 * @property {Limits} limits
 * @property {ReadonlyMap<string, Room>} rooms
 * @property {Own} own which messages are one's own
 * @property {string | null} current
 * @property {boolean} attentive whether somebody looks at the page
 * @property {string | null} endOf the room whose end is in view
 * @property {number} reportedAt when the server was last told what has been read
 * @property {Outbox} outbox
 * @property {ReadonlyMap<string, Request>} requests
 * @property {number} nextId
 * @property {{ rows: readonly RoomSummary[], more: boolean, loading: boolean }} directory
 * @property {Search} search
 * @property {{ key: string, life: number, seq: number, n: number } | null} jump the message that was last gone to
 * @property {Question | null} question
 * @property {Dialog} dialog
 * @property {{ dialog: Dialog, message: string } | null} formError
 * @property {readonly Command[]} send
 */

/** @type {Search} */
export const NO_SEARCH = { key: null, words: "", rows: [], more: false, phase: "idle" };

/** @type {State} */
export const INITIAL = {
  phase: "login", nick: "", token: null, client: "", prefix: "", loginError: "", automatic: false, takenSince: null, helloAt: null,
  status: { kind: "closed", reason: "" }, welcomed: false, returning: false, replaced: false, hidden: false, limits: DEFAULT_LIMITS,
  rooms: new Map(), own: new Map(), current: null, attentive: true, endOf: null, reportedAt: 0, outbox: EMPTY, requests: new Map(), nextId: 1,
  directory: { rows: [], more: false, loading: false }, search: NO_SEARCH, jump: null, question: null, dialog: "none", formError: null, send: [],
};

/** Asks the server for something and remembers what. @param {State} state @param {Command} command @param {Request} request @returns {State} */
export function ask(state, command, request) {
  const id = `r${state.nextId}`;
  return {
    ...state, nextId: state.nextId + 1, send: [...state.send, { ...command, id }],
    requests: new Map(state.requests).set(id, request),
  };
}

/** @param {State} state @param {Room} room @returns {State} */
export function put(state, room) {
  return state.rooms.get(room.key) === room ? state : { ...state, rooms: new Map(state.rooms).set(room.key, room) };
}

/** @param {State} state @param {string} key @returns {State} */
export function drop(state, key) {
  const rooms = new Map(state.rooms);
  rooms.delete(key);
  const outbox = { ...state.outbox, items: state.outbox.items.filter((item) => item.room !== key) };
  const next = { ...state, rooms, outbox };
  return state.current === key ? show(next, listed(next)[0]?.key ?? null) : next;
}

/** @param {State} state @returns {Room | null} */
export function currentRoom(state) {
  return (state.current !== null && state.rooms.get(state.current)) || null;
}

/** The room that the server calls so. @param {State} state @param {string} name */
export function byName(state, name) {
  const wanted = fold(name);
  return [...state.rooms.values()].find((room) => room.name !== null && fold(room.name) === wanted) ?? null;
}

/** The direct conversation with somebody. @param {State} state @param {string} nick */
export function directWith(state, nick) {
  const wanted = fold(nick);
  return [...state.rooms.values()].find((room) => room.with !== null && fold(room.with) === wanted) ?? null;
}

/**
 * The room of that name, or of a conversation with that person, made if need be.
 * @param {State} state @param {string | null} name @param {string | null} other
 * @returns {Room}
 */
export function roomFor(state, name, other) {
  const known = (name !== null && byName(state, name)) || (other !== null && directWith(state, other));
  if (known) return known;
  if (other === null && name !== null) return emptyRoom(`#${fold(name)}`, name, null);
  let key = `@${fold(other ?? "")}`;
  while (state.rooms.has(key)) key += "+";
  return emptyRoom(key, name, other);
}

/** Goes to a room. @param {State} state @param {string | null} key @returns {State} */
export function show(state, key) {
  if (state.current === key) return state;
  const before = currentRoom(state);
  const next = before ? put(state, { ...before, readUpTo: null, news: 0, past: null }) : state;
  const room = key === null ? undefined : next.rooms.get(key);
  // A room without news begins at its end; for any other the timeline says what is in view.
  return { ...(room ? put(next, drawLine(room)) : next), current: key, endOf: room?.unread === 0 ? key : null };
}

/** Somebody comes to look at the page, or leaves it. @param {State} state @param {boolean} here @returns {State} */
export function attend(state, here) {
  const room = currentRoom(state);
  const back = here && !state.attentive && room !== null && room.unread > 0;
  return { ...(back ? put(state, drawLine(room)) : state), attentive: here };
}

/** Rooms as they are shown: the lobby, the others by name, then people. @param {State} state @returns {Room[]} */
export function listed(state) {
  /** @param {Room} room */
  const rank = (room) => (room.with !== null ? `2${fold(room.with)}` : fold(room.name ?? "") === LOBBY ? "0" : `1${fold(room.name ?? "")}`);
  return [...state.rooms.values()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** Says something to the user in the room they are in. @param {State} state @param {string} text @param {number} now @param {"info" | "error"} [tone] @returns {State} */
export function tell(state, text, now, tone = "info") {
  const room = currentRoom(state);
  return room ? put(state, addNotice(room, text, now, tone)) : { ...state, formError: { dialog: state.dialog, message: text } };
}

/**
 * Puts something into the outbox.
 * @param {State} state @param {Room} room @param {Pick<Outgoing, "kind" | "text"> & Partial<Outgoing>} what @param {number} now
 * @returns {State}
 */
export function post(state, room, what, now) {
  const item = {
    action: false, target: null, reply: null, ...what, id: freshId(state), room: room.key, name: room.name, with: room.with,
    epoch: room.epoch, at: now, from: state.nick,
  };
  return { ...put(state, room), nextId: state.nextId + 1, outbox: add(state.outbox, item) };
}

/** Writes a message, at the end of the room. @param {State} state @param {Room} room @param {string} text @param {boolean} action @param {number} now @param {Answered | null} [reply] @returns {State} */
export function write(state, room, text, action, now, reply = null) {
  return post(state, { ...room, readUpTo: null, news: 0, past: null }, { kind: "send", text, action, reply }, now);
}

/** The prefix is another one with each start of the page, so that no id is ever used twice. @param {State} state */
export function freshId(state) {
  return `${state.prefix}-${state.nextId}`;
}

/** How the server is told which room is meant. @param {Room} room @returns {{ to: string } | { room: string }} */
export function target(room) {
  return room.with !== null ? { to: room.with } : { room: room.name ?? "" };
}
