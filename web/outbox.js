/**
 * What one has written and the log does not have yet.
 *
 * A message waits (`queued`), is on its way (`sent`), is on its way when the connection breaks
 * (`unsure`), or was refused (`failed`). It leaves the outbox once it is seen in the timeline.
 * One whose fate is unsure is looked up in the room's log before it is sent again, so it does not
 * appear twice. All functions are pure.
 */

/** @import { Limits } from "./protocol.js" */

/**
 * @typedef {object} Outgoing
 * @property {string} id
 * @property {string} room the key of the room
 * @property {string} text
 * @property {boolean} action
 * @property {number} at when it was written
 * @property {string} from by which nickname
 * @property {"queued" | "sent" | "unsure" | "failed"} state
 * @property {string} reason why it failed
 * @property {number | null} seq its number in the log, once acknowledged
 * @property {number} after the room's position when it was handed over: it can only be behind this
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

/** @type {Outbox} */
export const EMPTY = { items: [], notBefore: 0, oneByOne: false, tokens: Infinity, filledAt: 0 };

/** @param {Outbox} outbox @param {Omit<Outgoing, "state" | "reason" | "seq" | "after">} item @returns {Outbox} */
export function add(outbox, item) {
  return { ...outbox, items: [...outbox.items, { ...item, state: "queued", reason: "", seq: null, after: 0 }] };
}

/**
 * Takes what may be sent now.
 * @param {Outbox} outbox @param {number} now @param {Limits} limits
 * @param {(room: string) => number | null} ready the position of a room that takes messages, else `null`
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
    // Behind one whose fate is unsure the order would be lost.
    if (item.state === "unsure") held.add(item.room);
    const after = ready(item.room);
    const waits = silent || tokens < 0.999 || (outbox.oneByOne && inFlight) || held.has(item.room) || after === null;
    if (item.state !== "queued") return item;
    if (waits) {
      held.add(item.room);
      return item;
    }
    tokens -= 1;
    inFlight = true;
    /** @type {Outgoing} */
    const sent = { ...item, state: "sent", after };
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

/** The log has it. @param {Outbox} outbox @param {string} id @param {number} seq @param {boolean} shown whether the message is in the timeline */
export function acked(outbox, id, seq, shown) {
  if (shown) return without(outbox, id);
  return change(outbox, id, (item) => ({ ...item, state: "sent", seq }));
}

/**
 * A message of one's own came: the item that it is, if any, is settled.
 * @param {Outbox} outbox @param {string} room @param {{ seq: number, text: string, action: boolean, from: string }} message
 * @returns {Outbox}
 */
export function settle(outbox, room, message) {
  const candidates = outbox.items.filter((item) => item.room === room && (item.state === "sent" || item.state === "unsure"));
  const item = candidates.find((one) => one.seq === message.seq)
    ?? candidates.find((one) => one.seq === null && message.seq > one.after && isSame(one, message));
  return item ? without(outbox, item.id) : outbox;
}

/** @param {Outgoing} item @param {{ text: string, action: boolean, from: string }} message */
function isSame(item, message) {
  return item.action === message.action && item.from === message.from && visible(item.text) === visible(message.text);
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
  return change(outbox, id, (item) => ({ ...item, state: "failed", reason }));
}

/** The connection broke: nobody knows what became of what was on its way. @param {Outbox} outbox @returns {Outbox} */
export function broken(outbox) {
  const items = outbox.items.map((item) => (item.state === "sent" && item.seq === null ? { ...item, state: /** @type {const} */ ("unsure") } : item));
  return { ...outbox, items, notBefore: 0, oneByOne: false };
}

/** The log was read up to its end: what is still unsure in this room is not in it. @param {Outbox} outbox @param {string} room @returns {Outbox} */
export function lookedUp(outbox, room) {
  const items = outbox.items.map((item) =>
    item.room === room && item.state === "unsure" ? { ...item, state: /** @type {const} */ ("queued") } : item);
  return { ...outbox, items };
}

/** There is no log any more to look into; whoever wrote it decides. @param {Outbox} outbox @param {string} room @returns {Outbox} */
export function unknown(outbox, room) {
  const reason = "The connection broke while this was on its way; it may have arrived.";
  const items = outbox.items.map((item) =>
    item.room === room && item.state === "unsure" ? { ...item, state: /** @type {const} */ ("failed"), reason } : item);
  return { ...outbox, items };
}

/** @param {Outbox} outbox @param {string} id @param {number} now @returns {Outbox} */
export function again(outbox, id, now) {
  const item = outbox.items.find((one) => one.id === id);
  if (item?.state !== "failed") return outbox;
  const items = outbox.items.filter((one) => one.id !== id);
  return { ...outbox, items: [...items, { ...item, state: "queued", reason: "", at: now }] };
}

/** @param {Outbox} outbox @param {string} id @returns {Outbox} */
export function without(outbox, id) {
  return { ...outbox, items: outbox.items.filter((item) => item.id !== id) };
}

/** @param {Outbox} outbox @param {string} id @param {(item: Outgoing) => Outgoing} to @returns {Outbox} */
function change(outbox, id, to) {
  return { ...outbox, items: outbox.items.map((item) => (item.id === id ? to(item) : item)) };
}
