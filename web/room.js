/**
 * One room as the page knows it. What it holds is changed in rows.js (the timeline), roll.js (who
 * is there) and reading.js (how far it has been read). All functions are pure.
 */

import { addNotice } from "./rows.js";

/** @import { Entered, Gap, Position } from "./protocol.js" */
/** @import { Row } from "./rows.js" */

/**
 * @typedef {"none" | "loading" | "more" | "all"} Extent how much is known of the log in one direction
 *
 * @typedef {{ kind: "edit", seq: number, text: string }
 *   | { kind: "reply", seq: number, from: string, text: string }} Mode what the next line is, if not a new message
 *
 * @typedef {object} Room
 * @property {string} key the page's own name for it, which no renaming changes
 * @property {string | null} name the server's name; `null` before the first word of a direct conversation
 * @property {string | null} with in a direct conversation, the other person
 * @property {number} epoch
 * @property {number} seq everything up to here has been seen
 * @property {number} life counts the epochs that this page has seen
 * @property {number} count
 * @property {boolean} present whether the server has us in it
 * @property {readonly Row[]} rows
 * @property {number} added rows ever added; the next notice's key
 * @property {Extent} history what is known of the past
 * @property {Extent} ahead what is known of what comes behind the last row; of the present, `all`
 * @property {Room | null} past a part of the log further back that is looked at instead
 * @property {readonly string[]} members by name
 * @property {"none" | "loading" | "some" | "all" | "stale"} roll how much of the list `members` is
 * @property {number} read the last message that was read, here or with another client
 * @property {number} readSent what the server knows of it
 * @property {number} unread messages of others behind `read`
 * @property {boolean} mentioned
 * @property {number | null} readUpTo where the line between read and new is drawn
 * @property {number} news how many messages are announced on that line
 * @property {Mode | null} mode
 */

/**
 * @param {string} key @param {string | null} name @param {string | null} other
 * @returns {Room}
 */
export function emptyRoom(key, name, other) {
  return {
    key, name, with: other, epoch: 0, seq: 0, life: 0, count: 0, present: false, rows: [], added: 0,
    history: "none", ahead: "all", past: null, members: [], roll: "none", read: 0, readSent: 0, unread: 0, mentioned: false,
    readUpTo: null, news: 0, mode: null,
  };
}

/** What to call a room. @param {Room} room */
export function title(room) {
  return room.with ?? room.name ?? "";
}

/**
 * The server has us in it. Reading goes on behind the position it names.
 * @param {Room} room @param {Entered} entered @param {boolean} [created] whether the room is a new one
 * @returns {Room}
 */
export function enter(room, entered, created = false) {
  const other = entered.with ?? room.with;
  const next = { ...room, name: entered.room, with: other, count: entered.count, present: true };
  if (room.epoch === 0) return { ...next, epoch: entered.epoch, seq: entered.seq };
  // A room that was given up and made again counts from the beginning.
  const sameLog = !created && entered.epoch === room.epoch && entered.room === room.name && entered.seq >= room.seq;
  return sameLog ? { ...next, seq: entered.seq } : anew(next, entered.epoch, entered.seq);
}

/** The log is another one: what was read of the old stays above. @param {Room} room @param {number} epoch @param {number} seq @returns {Room} */
function anew(room, epoch, seq) {
  return { ...room, epoch, seq, life: room.life + 1, history: "all", past: null, mode: null, read: 0, readSent: 0, readUpTo: null, news: 0 };
}

/** @param {Room} room @returns {Position | undefined} */
export function position(room) {
  return room.epoch === 0 ? undefined : { epoch: room.epoch, seq: room.seq };
}

/** Live entries come in order, so everything up to this one has been seen. @param {Room} room @param {number} seq */
export function seenUpTo(room, seq) {
  return seq <= room.seq ? room : { ...room, seq };
}

/**
 * Some of the log is lost to us.
 * @param {Room} room @param {Gap} gap @param {number} at
 */
export function addGap(room, gap, at) {
  const afresh = gap.after === 0 || gap.epoch !== room.epoch;
  const missing = Math.max(1, gap.before - gap.after - 1);
  const text = afresh
    ? "The server’s record begins anew here. What was said in between is lost."
    : missing === 1 ? "A message is missing here: the server no longer keeps it." : `Up to ${missing.toLocaleString()} messages are missing here: the server no longer keeps them.`;
  const seq = Math.max(0, gap.before - 1);
  return addNotice(gap.epoch === room.epoch ? seenUpTo(room, seq) : anew(room, gap.epoch, seq), text, at);
}
