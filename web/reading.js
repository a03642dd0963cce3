/**
 * How far rooms have been read: here, and with one's other clients.
 *
 * A room counts what others wrote behind the last message read. It has been read when somebody
 * looks at the page with the end of the room in view; the server is told so, once a second at
 * most, and tells the others. The line above what is new stands where reading had ended when one
 * came into the room, or back to it. Pure: (room, …) → room, (state, …) → state.
 */

import { ask, put } from "./model.js";
import { isLoaded } from "./rows.js";

/** @import { Entered } from "./protocol.js" */
/** @import { Room } from "./room.js" */
/** @import { MessageRow, Row } from "./rows.js" */
/** @import { State } from "./model.js" */

/** The server is told no more often than this. */
const REPORTED_EVERY_MS = 1_000;

/**
 * What the server knows when one enters, or comes back.
 * @param {Room} before @param {Room} room the same, entered @param {Entered} entered
 * @returns {Room}
 */
export function readingOf(before, room, entered) {
  const read = entered.read ?? 0;
  const known = before.epoch !== 0 && before.life === room.life;
  if (known) return readTo({ ...room, readSent: Math.max(room.readSent, read) }, read);
  // What follows as events is counted as it comes.
  const unread = Math.min(entered.unread, Math.max(0, entered.seq - read));
  // Whoever has never read here is new, and the past is not news to them.
  if (entered.read === undefined) return { ...room, read: entered.seq, readSent: 0, unread: 0, mentioned: false };
  return { ...room, read, readSent: read, unread, mentioned: unread > 0 && room.with !== null, readUpTo: unread > 0 ? read : null, news: unread };
}

/** The room has been read up to there, wherever. It never moves back. @param {Room} room @param {number} seq @returns {Room} */
export function readTo(room, seq) {
  if (seq <= room.read) return room;
  const first = room.rows.find((row) => row.life === room.life && row.kind === "message");
  const covered = room.history === "all" || (first !== undefined && first.seq <= seq);
  const behind = room.rows.filter((row) => isNews(row, room.life, seq)).length;
  // Of what is not here one knows only that each message has a number of its own.
  const unread = covered ? behind : Math.min(room.unread, Math.max(behind, room.seq - seq));
  return { ...room, read: seq, unread, mentioned: room.mentioned && unread > 0 };
}

/** @param {Row} row @param {number} life @param {number} seq @returns {row is MessageRow} */
export function isNews(row, life, seq) {
  return row.kind === "message" && !row.mine && row.life === life && row.seq > seq;
}

/** Somebody else wrote, and nobody is looking. @param {Room} room @param {boolean} mentioned @returns {Room} */
export function oneMore(room, mentioned) {
  const first = room.unread === 0;
  return {
    ...room, unread: room.unread + 1, mentioned: room.mentioned || mentioned,
    readUpTo: first ? room.read : room.readUpTo, news: first ? 1 : room.news + 1,
  };
}

/** One of the messages that are counted is gone. @param {Room} before @param {Room} after @param {number} seq @returns {Room} */
export function oneLess(before, after, seq) {
  const counted = before !== after && seq > after.read && before.rows.some((row) => row.seq === seq && isNews(row, before.life, after.read));
  if (!counted || after.unread === 0) return after;
  const unread = after.unread - 1;
  return { ...after, unread, mentioned: after.mentioned && unread > 0, news: Math.max(0, after.news - 1) };
}

/** Somebody comes to look at a room: the line is drawn anew. @param {Room} room @returns {Room} */
export function drawLine(room) {
  return room.unread > 0 ? { ...room, readUpTo: room.read, news: room.unread } : { ...room, readUpTo: null, news: 0 };
}

/** Whether somebody looks at the end of that room. @param {State} state @param {string} key */
export function isWatched(state, key) {
  return state.attentive && state.current === key && state.endOf === key;
}

/** What is in view has been read, and the server is told. @param {State} state @param {number} now @returns {State} */
export function readAndReport(state, now) {
  let next = state;
  const room = state.current === null ? undefined : state.rooms.get(state.current);
  if (room && isLoaded(room) && room.past === null && isWatched(state, room.key)) next = put(next, readTo(room, newestMessage(room)));
  if (!state.welcomed || now < state.reportedAt + REPORTED_EVERY_MS) return next;
  const behind = [...next.rooms.values()].filter(isUnreported);
  if (behind.length === 0) return next;
  for (const one of behind) {
    next = ask(put(next, { ...one, readSent: one.read }), { type: "read", room: one.name, seq: one.read }, { kind: "read" });
  }
  return { ...next, reportedAt: now };
}

/** When there is something to tell the server, or `null`. @param {State} state @returns {number | null} */
export function reportAt(state) {
  return state.welcomed && [...state.rooms.values()].some(isUnreported) ? state.reportedAt + REPORTED_EVERY_MS : null;
}

/** @param {Room} room */
function isUnreported(room) {
  return room.present && room.name !== null && room.read > room.readSent;
}

/** @param {Room} room */
function newestMessage(room) {
  const row = room.rows.findLast((one) => one.life === room.life && (one.kind === "message" || one.kind === "withdrawn"));
  return row?.seq ?? 0;
}
