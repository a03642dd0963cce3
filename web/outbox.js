/**
 * What one has written and the log does not have yet: messages, changes and withdrawals.
 *
 * An item waits (`queued`), is on its way (`sent`), was on its way when the connection broke
 * (`unsure`), or was refused (`failed`). Its id protects it: whoever comes back as the same person
 * sends it again under the same id, and the log has it once. It leaves the outbox when its ack
 * says so, and the view once the room has been read that far. All functions are pure.
 */

/** @import { Answered, Limits } from "./protocol.js" */

/**
 * @typedef {object} Outgoing
 * @property {string} id
 * @property {"send" | "edit" | "delete"} kind
 * @property {string} room the key of the room
 * @property {string | null} name what the server calls the room
 * @property {string | null} with in a direct conversation, the other person
 * @property {number} epoch the log that `target` and `reply` are numbers of
 * @property {number | null} target the message that is changed or withdrawn
 * @property {Answered | null} reply the message that is answered
 * @property {string} text
 * @property {boolean} action
 * @property {number} at when it was written
 * @property {number} placed its place among the others; grows
 * @property {string} from by which nickname
 * @property {"queued" | "sent" | "unsure" | "failed"} state
 * @property {string} reason why it failed
 * @property {number | null} seq its number in the log, once acknowledged
 * @property {boolean} [tried] whether it has ever been handed over, so that the server may have it
 * @property {number | null} seen a message in the timeline that looks like it, while its ack is still to come
 *
 * @typedef {object} Outbox
 * @property {readonly Outgoing[]} items in the order in which they were written
 * @property {number} notBefore the server asked for silence until then
 * @property {boolean} oneByOne after a refusal: wait for each ack before the next
 * @property {number} tokens how many may go at once
 * @property {number} filledAt when `tokens` was counted
 */

/** How much of what the server allows is used, so that a little haste on the way is not refused. */
const PACE = 0.9;
const BURST = 0.8;

/** Why something is not sent again by itself. */
export const PERHAPS = "The connection broke while this was on its way; it may have arrived.";
export const NOT_YOURS = "This was written before you came in as somebody else.";
const MISTAKEN = "The server took this for another message, and it was not sent.";
const OTHER_LOG = "The message that this is about is gone with the server’s old record.";

/** @type {Outbox} */
export const EMPTY = { items: [], notBefore: 0, oneByOne: false, tokens: Infinity, filledAt: 0 };

/** @param {Outbox} outbox @param {Omit<Outgoing, "state" | "reason" | "seq" | "seen" | "placed">} item @returns {Outbox} */
export function add(outbox, item) {
  return { ...outbox, items: [...outbox.items, { ...item, placed: nextPlace(outbox, item.at), state: "queued", reason: "", seq: null, seen: null }] };
}

/** A clock that is set back changes no order. @param {Outbox} outbox @param {number} now */
function nextPlace(outbox, now) {
  return Math.max(now, (outbox.items.at(-1)?.placed ?? 0) + 1);
}

/** Items from an earlier page, or of a tab that is gone, find their places. @param {Outbox} outbox @param {readonly Outgoing[]} items @returns {Outbox} */
export function loaded(outbox, items) {
  const known = new Set(outbox.items.map((item) => item.id));
  const fresh = items.filter((item) => !known.has(item.id));
  return fresh.length === 0 ? outbox : { ...outbox, items: [...outbox.items, ...fresh].sort((a, b) => a.placed - b.placed) };
}

/**
 * Takes what may be sent now.
 * @param {Outbox} outbox @param {number} now @param {Limits} limits
 * @param {(item: Outgoing) => boolean} ready whether its room takes it
 * @returns {{ outbox: Outbox, go: Outgoing[] }}
 */
export function take(outbox, now, limits, ready) {
  let { tokens } = filled(outbox, now, limits);
  /** @type {Outgoing[]} */
  const go = [];
  /** @type {Set<string>} */
  const held = new Set();
  let inFlight = outbox.items.some((item) => item.state === "sent" && item.seq === null);
  const silent = now < outbox.notBefore;
  const items = outbox.items.map((item) => {
    if (item.state !== "queued") return item;
    if (silent || tokens < 0.999 || (outbox.oneByOne && inFlight) || held.has(item.room) || !ready(item)) {
      // What stands behind it in the same room waits, too: the order is kept.
      held.add(item.room);
      return item;
    }
    tokens -= 1;
    inFlight = true;
    /** @type {Outgoing} */
    const sent = { ...item, state: "sent", tried: true };
    go.push(sent);
    return sent;
  });
  const idle = items.every((item) => item.state === "failed");
  return { outbox: { ...outbox, items, tokens, filledAt: now, oneByOne: outbox.oneByOne && !idle }, go };
}

/** When `take` may have more to give by the passing of time alone, or `null`. @param {Outbox} outbox @param {Limits} limits @param {number} now @returns {number | null} */
export function nextAt(outbox, limits, now) {
  if (!outbox.items.some((item) => item.state === "queued")) return null;
  const paced = outbox.tokens < 0.999 && limits.rate ? outbox.filledAt + Math.ceil(((1 - outbox.tokens) / (limits.rate * PACE)) * 1000) : 0;
  const at = Math.max(outbox.notBefore, paced);
  return at > now ? at : null;
}

/**
 * The server's own count, kept here a little lower, so that it never has to refuse.
 * @param {Outbox} outbox @param {number} now @param {Limits} limits
 */
function filled(outbox, now, limits) {
  if (limits.rate === null || limits.burst === null) return { tokens: Infinity };
  const most = Math.max(1, Math.floor(limits.burst * BURST));
  const since = Math.max(0, now - outbox.filledAt) / 1000;
  return { tokens: Math.min(most, outbox.tokens + since * limits.rate * PACE) };
}

/** The newest message for a room that is not in the log, and has not failed. @param {Outbox} outbox @param {string} room @returns {Outgoing | null} */
export function newest(outbox, room) {
  return outbox.items.findLast((item) => item.room === room && item.kind === "send" && item.seq === null && item.state !== "failed") ?? null;
}

/** What nobody else can have seen says something else now. @param {Outbox} outbox @param {string} id @param {string} text */
export function reworded(outbox, id, text) {
  return change(outbox, id, (item) => ({ ...item, text }));
}

/** The log has it. It stays in view until the room has been read that far. @param {Outbox} outbox @param {string} id @param {number} seq @param {boolean} shown whether that is so already */
export function acked(outbox, id, seq, shown) {
  if (shown) return without(outbox, id);
  return change(outbox, id, (item) => ({ ...item, state: "sent", seq, seen: item.seen === seq ? seq : null }));
}

/** The room has been read up to `seq`: what has an earlier number is in view as what it is. @param {Outbox} outbox @param {string} room @param {number} seq @returns {Outbox} */
export function passed(outbox, room, seq) {
  return keep(outbox, (item) => item.room !== room || item.seq === null || item.seq > seq);
}

/**
 * A message of one's own came before its ack: the item that it seems to be is not shown beside it.
 * Only the ack can say that it is, since another of one's clients can have sent the same words.
 * @param {Outbox} outbox @param {string} room @param {{ seq: number, text: string, action: boolean, from: string }} message
 * @returns {Outbox}
 */
export function recognized(outbox, room, message) {
  const item = outbox.items.find((one) => one.room === room && one.kind === "send" && one.state === "sent" && one.seq === null
    && one.seen === null && one.action === message.action && one.from === message.from && visible(one.text) === visible(message.text));
  return item ? change(outbox, item.id, (one) => ({ ...one, seen: message.seq })) : outbox;
}

/** What the server's cleaning of a text leaves alone. @param {string} text */
function visible(text) {
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S}]/gu, "");
}

/** The server refused it for now: it goes again, behind nobody. @param {Outbox} outbox @param {string} id @param {number} notBefore @returns {Outbox} */
export function refused(outbox, id, notBefore) {
  const next = change(outbox, id, (item) => ({ ...item, state: "queued" }));
  return { ...next, notBefore: Math.max(outbox.notBefore, notBefore), oneByOne: true };
}

/** @param {Outbox} outbox @param {string} id @param {string} reason */
export function failed(outbox, id, reason) {
  return change(outbox, id, (item) => ({ ...item, state: "failed", reason, seen: null }));
}

/** Something else has its id, so it was not sent: it has another one when its author sends it again. @param {Outbox} outbox @param {string} id @param {string} fresh */
export function mistaken(outbox, id, fresh) {
  return change(outbox, id, (item) => ({ ...item, id: fresh, state: "failed", reason: MISTAKEN, seen: null }));
}

/** The connection broke: nobody here knows what became of what was on its way. @param {Outbox} outbox @returns {Outbox} */
export function broken(outbox) {
  return { ...map(outbox, (item) => (item.state === "sent" && item.seq === null ? { ...item, state: "unsure" } : item)), notBefore: 0, oneByOne: false };
}

/** The server knows who we are, and so our ids: all of it goes again. @param {Outbox} outbox @returns {Outbox} */
export function resumed(outbox) {
  return map(outbox, (item) => (item.state === "unsure" ? { ...item, state: "queued" } : item));
}

/** To the server we are somebody new, so ids protect nothing: whoever wrote it decides. @param {Outbox} outbox @returns {Outbox} */
export function orphaned(outbox) {
  return map(outbox, (item) => (item.state === "unsure" ? { ...item, state: "failed", reason: PERHAPS, seen: null } : item));
}

/** The room's log is a new one: its numbers mean nothing in it. @param {Outbox} outbox @param {string} room @param {number} epoch @returns {Outbox} */
export function otherLog(outbox, room, epoch) {
  const left = keep(outbox, (item) => item.room !== room || item.seq === null || item.epoch === epoch || item.epoch === 0);
  return map(left, (item) => {
    if (item.room !== room || item.epoch === epoch || item.epoch === 0) return item;
    if (item.kind !== "send") return { ...item, state: "failed", reason: OTHER_LOG };
    return item.reply ? { ...item, reply: null } : item;
  });
}

/** What cannot be sent to a room any more. @param {Outbox} outbox @param {string} room @param {string} reason @returns {Outbox} */
export function roomLost(outbox, room, reason) {
  return map(outbox, (item) => (item.room === room && item.seq === null && item.state !== "failed" ? { ...item, state: "failed", reason } : item));
}

/** @param {Outbox} outbox @param {string} id @param {number} now @returns {Outbox} */
export function again(outbox, id, now) {
  const item = outbox.items.find((one) => one.id === id);
  if (item?.state !== "failed") return outbox;
  const items = outbox.items.filter((one) => one.id !== id);
  return { ...outbox, items: [...items, { ...item, state: "queued", reason: "", at: now, placed: nextPlace(outbox, now) }] };
}

/** @param {Outbox} outbox @param {string} id @returns {Outbox} */
export function without(outbox, id) {
  return keep(outbox, (item) => item.id !== id);
}

/** @param {Outbox} outbox @param {string} id @param {(item: Outgoing) => Outgoing} to @returns {Outbox} */
function change(outbox, id, to) {
  return map(outbox, (item) => (item.id === id ? to(item) : item));
}

/** @param {Outbox} outbox @param {(item: Outgoing) => Outgoing} to @returns {Outbox} */
function map(outbox, to) {
  const items = outbox.items.map(to);
  return items.every((item, i) => item === outbox.items[i]) ? outbox : { ...outbox, items };
}

/** @param {Outbox} outbox @param {(item: Outgoing) => boolean} condition @returns {Outbox} */
function keep(outbox, condition) {
  const items = outbox.items.filter(condition);
  return items.length === outbox.items.length ? outbox : { ...outbox, items };
}
