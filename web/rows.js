/**
 * The timeline of a room: messages, who came and went, and what the page has to say.
 *
 * Rows are kept in the order of (life, seq); a notice stands behind the message that was the
 * newest when it came. A message is in the timeline once, however often it arrives, and one that
 * was withdrawn does not come back. All functions are pure.
 */

/** @import { Answered, Deleted, Edited, Message } from "./protocol.js" */
/** @import { Room } from "./room.js" */

/** Rows kept of a room that is followed at its end, or not shown. */
export const ROWS_AT_END = 500;

/** Rows kept of a room whose past is being read. */
export const ROWS_MAX = 3000;

/**
 * @typedef {{ key: string, life: number, seq: number, at: number }} Placed
 * @typedef {Placed & { kind: "message", from: string, text: string, action: boolean, mine: boolean, reply: Answered | null, edited: boolean, changed: number }} MessageRow
 *   `changed` is the number of the entry that changed it last, if that came live
 * @typedef {Placed & { kind: "withdrawn", from: string }} WithdrawnRow
 * @typedef {Placed & { kind: "presence", joined: string[], joinedCount: number, left: string[], leftCount: number, count: number }} PresenceRow
 * @typedef {Placed & { kind: "notice", tone: "info" | "error", text: string }} NoticeRow
 * @typedef {MessageRow | WithdrawnRow | PresenceRow | NoticeRow} Row
 */

/**
 * A message, live or from the past. The same room if it is there already.
 * @param {Room} room @param {Message} message @param {boolean} mine
 * @returns {Room}
 */
export function addMessage(room, message, mine) {
  const { seq, at, from, text, action, reply = null, edited = false } = message;
  if (indexOf(room, seq) >= 0) return room;
  const index = placeOf(room.rows, room.life, seq);
  /** @type {MessageRow} */
  const row = { kind: "message", key: `${room.life}:${seq}`, life: room.life, seq, at, from, text, action, mine, reply, edited, changed: 0 };
  return bounded({ ...room, rows: room.rows.toSpliced(index, 0, row) }, ROWS_MAX);
}

/** Its author has found other words. What is not here is read with its new words later. @param {Room} room @param {Edited} change @returns {Room} */
export function editMessage(room, { target, seq, text }) {
  return replace(room, target, (row) => (seq <= row.changed ? row : { ...row, text, edited: true, changed: seq }));
}

/** It is gone; who had it on the screen is told so. @param {Room} room @param {Deleted} deletion @returns {Room} */
export function deleteMessage(room, { target }) {
  return replace(room, target, ({ key, life, seq, at, from }) => ({ kind: "withdrawn", key, life, seq, at, from }));
}

/** @param {Room} room @param {number} seq @param {(row: MessageRow) => Row} to @returns {Room} */
function replace(room, seq, to) {
  const index = indexOf(room, seq);
  const row = room.rows[index];
  if (row?.kind !== "message") return room;
  const next = to(row);
  return next === row ? room : { ...room, rows: room.rows.with(index, next) };
}

/** Whose a message is has become known. @param {Room} room @param {number} seq @param {boolean} mine @returns {Room} */
export function markMine(room, seq, mine) {
  const next = replace(room, seq, (row) => (row.mine === mine ? row : { ...row, mine }));
  return next.past === null ? next : { ...next, past: markMine(next.past, seq, mine) };
}

/** The numbers of one's own messages in the timeline. @param {Room} room @returns {number[]} */
export function ownRows(room) {
  return room.rows.filter((row) => row.kind === "message" && row.mine && row.life === room.life).map((row) => row.seq);
}

/** The message of that number, if the timeline has it. @param {Room} room @param {number} seq @returns {MessageRow | null} */
export function messageAt(room, seq) {
  const row = room.rows[indexOf(room, seq)];
  return row?.kind === "message" ? row : null;
}

/** Where the message, or what is left of it, stands; -1 if it does not. @param {Room} room @param {number} seq */
export function indexOf(room, seq) {
  for (let at = placeOf(room.rows, room.life, seq) - 1; at >= 0; at -= 1) {
    const row = room.rows[at];
    if (row.life !== room.life || row.seq !== seq) return -1;
    if (row.kind === "message" || row.kind === "withdrawn") return at;
  }
  return -1;
}

/** The index behind the last row that is not newer. @param {readonly Row[]} rows @param {number} life @param {number} seq */
function placeOf(rows, life, seq) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row.life < life || (row.life === life && row.seq <= seq)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Something that the page says about the room, behind all that it holds.
 * @param {Room} room @param {string} text @param {number} at @param {"info" | "error"} [tone]
 * @returns {Room}
 */
export function addNotice(room, text, at, tone = "info") {
  return append(room, { ...place(room, at), kind: "notice", tone, text });
}

/** @param {Room} room @param {number} at @returns {Placed} */
export function place(room, at) {
  return { key: `n${room.added}`, life: room.life, seq: newest(room), at };
}

/** @param {Room} room @param {Row} row @returns {Room} */
export function append(room, row) {
  return bounded({ ...room, rows: [...room.rows, row], added: room.added + 1 }, ROWS_MAX);
}

/**
 * Drops the oldest rows over a bound; they can be asked for again.
 * @param {Room} room @param {number} most
 * @returns {Room}
 */
export function bounded(room, most) {
  if (room.rows.length <= most) return room;
  // A tenth more than needed goes at once, so that this is not repeated with every message.
  const rows = room.rows.slice(-Math.floor(most * 0.9));
  return { ...room, rows, history: room.history === "all" || room.history === "more" ? "more" : room.history };
}

/** The newest number in the timeline. @param {Room} room */
export function newest(room) {
  const last = room.rows.at(-1);
  return last && last.life === room.life ? Math.max(last.seq, room.seq) : room.seq;
}

/** The oldest message that this life of the log can be asked for the past of. @param {Room} room */
export function oldest(room) {
  const first = room.rows.find((row) => row.kind === "message" || row.kind === "withdrawn");
  return first && first.life === room.life ? first.seq : null;
}

/** One's last message that can still be changed. @param {Room} room @param {number} after not older than that @returns {MessageRow | null} */
export function lastOwn(room, after) {
  const row = room.rows.findLast((one) => one.kind === "message" && one.mine && one.life === room.life);
  return row?.kind === "message" && row.at > after ? row : null;
}

/** The last message of somebody. @param {Room} room @param {(nick: string) => boolean} isWanted @returns {MessageRow | null} */
export function lastOf(room, isWanted) {
  const row = room.rows.findLast((one) => one.kind === "message" && one.life === room.life && isWanted(one.from));
  return row?.kind === "message" ? row : null;
}

/** Whether the newest messages are there, not only asked for. @param {Room} room */
export function isLoaded(room) {
  return room.history !== "none" && (room.history !== "loading" || oldest(room) !== null);
}
