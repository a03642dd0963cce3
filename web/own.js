/**
 * Which messages are one's own. A message says by which nickname it was written, and a nickname can
 * have been another's before, or be another's now; only the server knows for certain.
 *
 * So the page keeps, for each room and life of its log, the numbers of what was acknowledged to it
 * or arrived under one's nickname while one had it, and of what the server says is another's; and
 * where the log stood when one came into being. Where none of that says anything, the nickname
 * decides. All functions are pure.
 */

import { fold } from "./protocol.js";

/** @import { Entered, Message } from "./protocol.js" */

/**
 * @typedef {object} Marks what is known of one room
 * @property {string} room by its name, folded
 * @property {number} epoch
 * @property {number | null} since nothing up to here is one's own; `null` if that is not known
 * @property {readonly number[]} own
 * @property {readonly number[]} others
 *
 * @typedef {ReadonlyMap<string, Marks>} Own by the room's name, folded
 */

/** Numbers that are kept of a room; the smallest of more are forgotten. */
const KEPT = 500;

/** @param {Own} known @param {string} room @param {number} epoch @returns {Marks} */
export function marksOf(known, room, epoch) {
  const key = fold(room);
  const marks = known.get(key);
  return marks?.epoch === epoch ? marks : { room: key, epoch, since: null, own: [], others: [] };
}

/** Whether a message is one's own. @param {Own} known @param {number} epoch @param {Message} message @param {string} nick */
export function isOwn(known, epoch, { room, seq, from }, nick) {
  const { since, own, others } = marksOf(known, room, epoch);
  if (own.includes(seq)) return true;
  return fold(from) === fold(nick) && !others.includes(seq) && (since === null || seq > since);
}

/** One came into being when the log stood there, or into a room that one has never been in. @param {Own} known @param {Entered} entered @returns {Own} */
export function began(known, { room, epoch, seq }) {
  return put(known, { ...marksOf(known, room, epoch), since: seq });
}

/** Whether one has been in no room of that name. Of somebody who came into being elsewhere nobody here knows. @param {Own} known @param {Entered} entered */
export function isNew(known, { room, epoch }) {
  return known.get(fold(room))?.epoch !== epoch && [...known.values()].some(({ since }) => since !== null);
}

/** These are one's own. @param {Own} known @param {string} room @param {number} epoch @param {readonly number[]} seqs @returns {Own} */
export function claimed(known, room, epoch, seqs) {
  const marks = marksOf(known, room, epoch);
  const own = joined(marks.own, seqs);
  return own === marks.own ? known : put(known, { ...marks, own });
}

/** The server says that this is another's. @param {Own} known @param {string} room @param {number} epoch @param {number} seq @returns {Own} */
export function disclaimed(known, room, epoch, seq) {
  const marks = marksOf(known, room, epoch);
  return put(known, { ...marks, own: marks.own.filter((one) => one !== seq), others: joined(marks.others, [seq]) });
}

/** What two pages of the same person know of a room. @param {Marks | undefined} kept @param {Marks} marks @returns {Marks} */
export function merged(kept, marks) {
  if (kept?.epoch !== marks.epoch) return marks;
  const others = joined(kept.others, marks.others);
  const own = joined(kept.own, marks.own).filter((seq) => !others.includes(seq));
  return { ...marks, since: marks.since ?? kept.since, own, others };
}

/** @param {Own} known @param {Marks} marks @returns {Own} */
function put(known, marks) {
  return new Map(known).set(marks.room, marks);
}

/** @param {readonly number[]} known @param {readonly number[]} more @returns {readonly number[]} */
function joined(known, more) {
  const fresh = more.filter((seq) => !known.includes(seq));
  return fresh.length === 0 ? known : [...known, ...fresh].sort((a, b) => a - b).slice(-KEPT);
}
