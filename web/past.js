/**
 * Looking at a part of the log further back, and going to a message. Pure: (state, …) → state.
 *
 * A message that the timeline holds is simply gone to. For another, a part of the log round it is
 * read and looked at instead, as a room within the room; the present goes on behind it. It can be
 * read on in both directions, and once it meets the present it becomes one with it.
 */

import { PAGE_MAX } from "./protocol.js";
import { isOwn } from "./own.js";
import { addMessage, indexOf, oldest } from "./rows.js";
import { ask, currentRoom, put, show, target, tell } from "./model.js";

/** @import { History } from "./protocol.js" */
/** @import { Room } from "./room.js" */
/** @import { Request, State } from "./model.js" */

/** Messages on each side of the one that is gone to, and those that "earlier" and "later" add. */
const AROUND = 25;
const PAGE = 50;

/** What is looked at of a room. @param {Room} room */
export function shown(room) {
  return room.past ?? room;
}

/** Goes to a message. @param {State} state @param {string} key @param {number} seq @param {number} now @returns {State} */
export function goTo(state, key, seq, now) {
  const there = show({ ...state, dialog: "none" }, key);
  const room = there.rooms.get(key);
  if (!room) return state;
  const jumping = { ...there, endOf: null, jump: { key, life: room.life, seq, n: (state.jump?.n ?? 0) + 1 } };
  if (indexOf(room, seq) >= 0) return put(jumping, { ...room, past: null });
  if (room.past && indexOf(room.past, seq) >= 0) return jumping;
  if (!state.welcomed) return tell(state, "There is no connection at the moment; try again when there is.", now, "error");
  const part = state.nextId;
  /** @type {Room} */
  const past = { ...room, rows: [], added: part, history: "loading", ahead: "loading", past: null };
  const before = ask(put(jumping, { ...room, past }), { type: "history", ...target(room), before: seq + 1, limit: AROUND }, { kind: "past", key, part, of: "before" });
  return ask(before, { type: "history", ...target(room), after: seq, limit: AROUND }, { kind: "past", key, part, of: "after" });
}

/** Back to the newest messages. @param {State} state @returns {State} */
export function toPresent(state) {
  const room = currentRoom(state);
  return room?.past ? put(state, { ...room, past: null }) : state;
}

/** Earlier messages. @param {State} state @returns {State} */
export function older(state) {
  const room = currentRoom(state);
  const part = room && shown(room);
  const before = part && oldest(part);
  if (!room || !part || before === null || part.history !== "more" || !state.welcomed) return state;
  const command = { type: "history", ...target(room), before, limit: PAGE };
  const loading = { ...part, history: /** @type {const} */ ("loading") };
  if (room.past) return ask(put(state, { ...room, past: loading }), command, { kind: "past", key: room.key, part: part.added, of: "before" });
  return ask(put(state, loading), command, { kind: "history", key: room.key, of: "older" });
}

/** Later messages, where one looks at the past. @param {State} state @returns {State} */
export function newer(state) {
  const room = currentRoom(state);
  const last = room?.past?.rows.at(-1);
  if (!room?.past || !last || room.past.ahead !== "more" || !state.welcomed) return state;
  const command = { type: "history", ...target(room), after: last.seq, limit: Math.min(PAGE, PAGE_MAX) };
  return ask(put(state, { ...room, past: { ...room.past, ahead: "loading" } }), command, { kind: "past", key: room.key, part: room.past.added, of: "after" });
}

/** @param {State} state @param {History} event @param {Request & { kind: "past" }} request @returns {State} */
export function pastArrived(state, event, request) {
  const room = state.rooms.get(request.key);
  if (!room?.past || room.past.added !== request.part || room.epoch !== event.epoch) return state;
  let past = room.past;
  for (const message of event.messages) past = addMessage(past, message, isOwn(state.own, room.epoch, message, state.nick));
  const extent = event.more ? /** @type {const} */ ("more") : /** @type {const} */ ("all");
  past = request.of === "before" ? { ...past, history: extent } : { ...past, ahead: extent };
  return put(state, meet({ ...room, past }));
}

/** It could not be read; what is there stays. @param {State} state @param {Request & { kind: "past" }} request @returns {State} */
export function pastRefused(state, request) {
  const room = state.rooms.get(request.key);
  return room?.past?.added === request.part ? put(state, withoutWaiting(room)) : state;
}

/** Nothing that was asked for comes any more: it can be asked for again. @param {Room} room @returns {Room} */
export function withoutWaiting(room) {
  const history = room.history === "loading" ? (oldest(room) === null ? /** @type {const} */ ("none") : /** @type {const} */ ("more")) : room.history;
  if (!room.past) return room.history === history ? room : { ...room, history };
  if (room.past.rows.length === 0) return { ...room, history, past: null };
  const ahead = room.past.ahead === "loading" ? /** @type {const} */ ("more") : room.past.ahead;
  return { ...room, history, past: { ...withoutWaiting(room.past), ahead } };
}

/** The past has come up to the present: they are one again. @param {Room} room @returns {Room} */
function meet(room) {
  const { past } = room;
  const first = oldest(room);
  const last = past?.rows.at(-1);
  if (!past || past.history === "loading" || past.ahead === "loading" || room.history === "loading") return room;
  if (past.ahead !== "all" && !(last && first !== null && last.seq >= first)) return room;
  /** @type {Room} */
  let whole = { ...room, history: past.history, past: null };
  for (const row of past.rows) if (row.kind === "message") whole = addMessage(whole, { ...row, room: room.name ?? "", reply: row.reply ?? undefined }, row.mine);
  return whole;
}
