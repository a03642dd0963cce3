/**
 * One room as the page knows it: its timeline, its members, and how far it has been read.
 *
 * Rows are kept in the order of (life, seq); a notice stands behind the message that was the
 * newest when it came. A message is in the timeline once, however often it arrives. All functions
 * are pure.
 */

import { fold } from "./protocol.js";

/** @import { Entered, Gap, Members, Message, Position, Presence } from "./protocol.js" */

/** Rows kept of a room that is followed at its end, or not shown. */
export const ROWS_AT_END = 500;

/** Rows kept of a room whose past is being read. */
export const ROWS_MAX = 3000;

/** Names of a room that are kept at most; the rest are counted. */
export const MEMBERS_MAX = 1000;

/** Presence notices closer together than this become one. */
const PRESENCE_MERGED_MS = 5 * 60_000;

/**
 * @typedef {{ key: string, life: number, seq: number, at: number }} Placed
 * @typedef {Placed & { kind: "message", from: string, text: string, action: boolean, mine: boolean }} MessageRow
 * @typedef {Placed & { kind: "presence", joined: string[], joinedCount: number, left: string[], leftCount: number, count: number }} PresenceRow
 * @typedef {Placed & { kind: "notice", tone: "info" | "error", text: string }} NoticeRow
 * @typedef {MessageRow | PresenceRow | NoticeRow} Row
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
 * @property {"none" | "loading" | "more" | "all"} history what is known of the past
 * @property {readonly string[]} members by name
 * @property {"none" | "loading" | "some" | "all" | "stale"} roll how much of the list `members` is
 * @property {number} unread
 * @property {boolean} mentioned
 * @property {number | null} readUpTo where the line between read and new is drawn
 */

/**
 * @param {string} key @param {string | null} name @param {string | null} other
 * @returns {Room}
 */
export function emptyRoom(key, name, other) {
  return {
    key, name, with: other, epoch: 0, seq: 0, life: 0, count: 0, present: false, rows: [], added: 0,
    history: "none", members: [], roll: "none", unread: 0, mentioned: false, readUpTo: null,
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
  if (sameLog) return { ...next, seq: entered.seq };
  return { ...next, epoch: entered.epoch, seq: entered.seq, life: room.life + 1, history: "all" };
}

/** @param {Room} room @returns {Position | undefined} */
export function position(room) {
  return room.epoch === 0 ? undefined : { epoch: room.epoch, seq: room.seq };
}

/**
 * A message, live or from the past. The same room if it is there already.
 * @param {Room} room @param {Message} message @param {boolean} mine
 * @returns {Room}
 */
export function addMessage(room, message, mine) {
  const { seq, at, from, text, action } = message;
  const index = placeOf(room.rows, room.life, seq);
  if (hasMessage(room, seq, index)) return room;
  /** @type {MessageRow} */
  const row = { kind: "message", key: `${room.life}:${seq}`, life: room.life, seq, at, from, text, action, mine };
  return bounded({ ...room, rows: room.rows.toSpliced(index, 0, row) }, ROWS_MAX);
}

/** Live entries come in order, so everything up to this one has been seen. @param {Room} room @param {number} seq */
export function seenUpTo(room, seq) {
  return { ...room, seq: Math.max(room.seq, seq) };
}

/** The newest number in the timeline; what is sent now will be behind it. @param {Room} room */
export function newest(room) {
  const last = room.rows.at(-1);
  return last && last.life === room.life ? Math.max(last.seq, room.seq) : room.seq;
}

/** Whether the timeline has the message. @param {Room} room @param {number} seq @param {number} [index] */
export function hasMessage(room, seq, index = placeOf(room.rows, room.life, seq)) {
  for (let at = index - 1; at >= 0; at -= 1) {
    const row = room.rows[at];
    if (row.life !== room.life || row.seq !== seq) return false;
    if (row.kind === "message") return true;
  }
  return false;
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
 */
export function addNotice(room, text, at, tone = "info") {
  return append(room, { ...place(room, at), kind: "notice", tone, text });
}

/** @param {Room} room @param {number} at @returns {Placed} */
function place(room, at) {
  return { key: `n${room.added}`, life: room.life, seq: newest(room), at };
}

/** @param {Room} room @param {Row} row */
function append(room, row) {
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

/** The oldest message that this life of the log can be asked for the past of. @param {Room} room */
export function oldest(room) {
  const first = room.rows.find((row) => row.kind === "message");
  return first && first.life === room.life ? first.seq : null;
}

/**
 * @param {Room} room @param {Gap} gap @param {number} at
 */
export function addGap(room, gap, at) {
  const afresh = gap.after === 0 || gap.epoch !== room.epoch;
  const missing = Math.max(1, gap.before - gap.after - 1);
  const text = afresh
    ? "The server’s record begins anew here. What was said in between is lost."
    : missing === 1 ? "A message is missing here." : `Up to ${missing.toLocaleString()} messages are missing here.`;
  if (gap.epoch === room.epoch) return addNotice({ ...room, seq: Math.max(room.seq, gap.before - 1) }, text, at);
  return addNotice({ ...room, epoch: gap.epoch, seq: Math.max(0, gap.before - 1), life: room.life + 1, history: "all" }, text, at);
}

/**
 * Who came and went: the list, the count, and a line in the timeline.
 * @param {Room} room @param {Presence} presence @param {string} self @param {number} at
 * @returns {Room}
 */
export function addPresence(room, presence, self, at) {
  const me = fold(self);
  const joined = presence.joined.filter((nick) => fold(nick) !== me);
  const left = presence.left.filter((nick) => fold(nick) !== me);
  const joinedCount = presence.joined_count - (presence.joined.length - joined.length);
  const leftCount = presence.left_count - (presence.left.length - left.length);
  const next = { ...rollCall(room, presence), count: presence.count };
  if (joinedCount <= 0 && leftCount <= 0) return next;
  const last = room.rows.at(-1);
  if (last?.kind === "presence" && last.life === room.life && at - last.at < PRESENCE_MERGED_MS) {
    const merged = { ...last, ...mergedPresence(last, joined, joinedCount, left, leftCount), count: presence.count };
    return { ...next, rows: [...room.rows.slice(0, -1), merged] };
  }
  return append(next, { ...place(next, at), kind: "presence", joined, joinedCount, left, leftCount, count: presence.count });
}

/**
 * @param {PresenceRow} row @param {string[]} joined @param {number} joinedCount
 * @param {string[]} left @param {number} leftCount
 */
function mergedPresence(row, joined, joinedCount, left, leftCount) {
  /** @param {string[]} names @param {string[]} more */
  const union = (names, more) => {
    const known = new Set(names.map(fold));
    return [...names, ...more.filter((name) => !known.has(fold(name)))];
  };
  const allJoined = union(row.joined, joined);
  const allLeft = union(row.left, left);
  return {
    joined: allJoined, left: allLeft,
    joinedCount: row.joinedCount + joinedCount - (row.joined.length + joined.length - allJoined.length),
    leftCount: row.leftCount + leftCount - (row.left.length + left.length - allLeft.length),
  };
}

/** @param {Room} room @param {Presence} presence @returns {Room} */
function rollCall(room, presence) {
  if (room.roll !== "some" && room.roll !== "all") return room;
  const gone = new Set(presence.left.map(fold));
  const come = new Set(presence.joined.map(fold));
  let members = room.members.filter((nick) => !gone.has(fold(nick)) && !come.has(fold(nick)));
  members = sorted([...members, ...presence.joined.filter((nick) => !gone.has(fold(nick)))]);
  const unnamed = presence.joined_count > presence.joined.length || presence.left_count > presence.left.length;
  const partly = room.roll === "some";
  const last = room.members.at(-1);
  // Of a long list only the beginning is known: who sorts behind it is among those counted.
  if (partly && last) members = members.filter((nick) => compare(nick, last) <= 0);
  const off = room.roll === "all" && members.length !== presence.count;
  return { ...room, members, roll: unnamed || off ? "stale" : room.roll };
}

/**
 * A page of the list of members.
 * @param {Room} room @param {Members} page @param {boolean} further whether it goes on from what is known
 * @returns {Room}
 */
export function addMembers(room, page, further) {
  const known = new Set(page.members.map(fold));
  const before = further ? room.members.filter((nick) => !known.has(fold(nick))) : [];
  const members = [...before, ...page.members];
  return { ...room, members, count: page.count, roll: page.more ? "some" : "all" };
}

/** @param {Room} room @param {string} from @param {string} to @param {number} at @returns {Room} */
export function rename(room, from, to, at) {
  const old = fold(from);
  const isMember = room.members.some((nick) => fold(nick) === old);
  const members = isMember ? sorted([...room.members.filter((nick) => fold(nick) !== old), to]) : room.members;
  const other = room.with !== null && fold(room.with) === old ? to : room.with;
  return addNotice({ ...room, members, with: other }, `${from} is now known as ${to}.`, at);
}

/** @param {string[]} names */
function sorted(names) {
  return names.sort(compare);
}

/** @param {string} a @param {string} b */
function compare(a, b) {
  const x = fold(a);
  const y = fold(b);
  return x < y ? -1 : x > y ? 1 : 0;
}
