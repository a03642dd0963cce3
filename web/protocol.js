/**
 * The wire contract (docs/protocol.md): what a frame holds, and the only way one gets in.
 *
 * `decode` checks every field that the page reads. What it returns can be trusted by its type;
 * what is not a known, well-formed event is `null`. Nothing here throws, whatever arrives.
 */

/** Longest nickname and room name, in characters. */
export const NICK_MAX_CHARS = 32;
export const ROOM_MAX_CHARS = 48;

/** Bytes of what is looked for, at most. */
export const WORDS_MAX = 512;

/** How long a message can be changed or withdrawn, in milliseconds. */
export const CHANGEABLE_MS = 60 * 60_000;

/** Rows of a list in one answer, at most. */
export const PAGE_MAX = 200;

/** The room that everybody is in after hello. */
export const LOBBY = "lobby";

/** What to stay within until the server's welcome says it. @type {Limits} */
export const DEFAULT_LIMITS = { text: 4096, frame: 32768, rate: 10, burst: 50, rooms: 100 };

/**
 * @typedef {{ text: number, frame: number, rate: number | null, burst: number | null, rooms: number }} Limits
 * @typedef {{ epoch: number, seq: number }} Position
 * @typedef {{ room: string, epoch: number, seq: number, count: number, with?: string, read?: number, unread: number }} Entered
 * @typedef {{ seq: number, from: string }} Answered
 * @typedef {{ room: string, seq: number, at: number, from: string, to?: string, text: string, action: boolean, reply?: Answered, edited: boolean }} Message
 * @typedef {{ room: string, count: number, member: boolean }} RoomSummary
 *
 * @typedef {{ type: "welcome", id?: string, nick: string, token?: string, resumed: boolean, hidden: boolean, server: string, rooms: Entered[], limits: Limits }} Welcome
 * @typedef {{ type: "message" } & Message} MessageEvent
 * @typedef {{ type: "edited", room: string, seq: number, at: number, from: string, target: number, text: string }} Edited
 * @typedef {{ type: "deleted", room: string, seq: number, at: number, from: string, target: number }} Deleted
 * @typedef {{ type: "read", id?: string, room: string, seq: number }} Read
 * @typedef {{ type: "presence", room: string, joined: string[], joined_count: number, left: string[], left_count: number, count: number }} Presence
 * @typedef {{ type: "renamed", room: string, from: string, to: string }} Renamed
 * @typedef {{ type: "gap", room: string, epoch: number, after: number, before: number }} Gap
 * @typedef {{ type: "ack", id: string, room: string, seq: number }} Ack
 * @typedef {{ type: "joined", id?: string, created: boolean } & Entered} Joined
 * @typedef {{ type: "left", id?: string, room: string }} Left
 * @typedef {{ type: "rooms", id?: string, rooms: RoomSummary[], more: boolean }} Rooms
 * @typedef {{ type: "members", id?: string, room?: string, members: string[], count: number, more: boolean }} Members
 * @typedef {{ type: "nick", id?: string, nick: string }} NickEvent
 * @typedef {{ type: "hidden", id?: string, hidden: boolean }} Hidden
 * @typedef {{ type: "history", id?: string, room: string, epoch: number, messages: Message[], more: boolean }} History
 * @typedef {{ type: "found", id?: string, room: string, epoch: number, messages: Message[], more: boolean }} Found
 * @typedef {{ type: "pong", id?: string }} Pong
 * @typedef {{ type: "error", id?: string, code: string, message: string, retry_after_ms?: number }} ErrorEvent
 * @typedef {{ type: "disconnect", code: string, message: string, reconnect: boolean, retry_after_ms?: number }} Disconnect
 * @typedef {Welcome | MessageEvent | Edited | Deleted | Read | Presence | Renamed | Gap | Ack | Joined | Left | Rooms
 *   | Members | NickEvent | Hidden | History | Found | Pong | ErrorEvent | Disconnect} ServerEvent
 *
 * @typedef {{ type: string, id?: string, [field: string]: unknown }} Command
 * @typedef {{ [field: string]: unknown }} Frame
 */

/**
 * Reads one frame.
 * @param {unknown} data what a WebSocket message holds
 * @returns {ServerEvent | null}
 */
export function decode(data) {
  if (typeof data !== "string") return null;
  try {
    const frame = object(JSON.parse(data));
    const type = string(frame, "type");
    return Object.hasOwn(READERS, type) ? READERS[type](frame) : null;
  } catch {
    return null;
  }
}

/** @type {Record<string, (frame: Frame) => ServerEvent>} */
const READERS = {
  welcome: (frame) => ({
    type: "welcome", ...label(frame), nick: string(frame, "nick"), ...optional(frame, "token"),
    resumed: frame.resumed === true, hidden: frame.hidden === true, server: string(frame, "server"),
    rooms: list(frame, "rooms", entered), limits: limits(frame.limits),
  }),
  message: (frame) => ({ type: "message", ...message(frame) }),
  edited: (frame) => ({ type: "edited", ...change(frame), text: string(frame, "text") }),
  deleted: (frame) => ({ type: "deleted", ...change(frame) }),
  read: (frame) => ({ type: "read", ...label(frame), room: string(frame, "room"), seq: whole(frame, "seq") }),
  presence: (frame) => ({
    type: "presence", room: string(frame, "room"), joined: strings(frame, "joined"),
    joined_count: whole(frame, "joined_count"), left: strings(frame, "left"),
    left_count: whole(frame, "left_count"), count: whole(frame, "count"),
  }),
  renamed: (frame) => ({
    type: "renamed", room: string(frame, "room"), from: string(frame, "from"), to: string(frame, "to"),
  }),
  gap: (frame) => ({
    type: "gap", room: string(frame, "room"), epoch: whole(frame, "epoch"), after: whole(frame, "after"),
    before: whole(frame, "before"),
  }),
  ack: (frame) => ({ type: "ack", id: string(frame, "id"), room: string(frame, "room"), seq: whole(frame, "seq") }),
  joined: (frame) => ({ type: "joined", ...label(frame), ...entered(frame), created: frame.created === true }),
  left: (frame) => ({ type: "left", ...label(frame), room: string(frame, "room") }),
  rooms: (frame) => ({
    type: "rooms", ...label(frame), more: frame.more === true,
    rooms: list(frame, "rooms", (row) => ({
      room: string(row, "room"), count: whole(row, "count"), member: row.member === true,
    })),
  }),
  members: (frame) => ({
    type: "members", ...label(frame), ...optional(frame, "room"), members: strings(frame, "members"),
    count: whole(frame, "count"), more: frame.more === true,
  }),
  nick: (frame) => ({ type: "nick", ...label(frame), nick: string(frame, "nick") }),
  hidden: (frame) => ({ type: "hidden", ...label(frame), hidden: frame.hidden === true }),
  history: (frame) => ({ type: "history", ...page(frame) }),
  found: (frame) => ({ type: "found", ...page(frame) }),
  pong: (frame) => ({ type: "pong", ...label(frame) }),
  error: (frame) => ({
    type: "error", ...label(frame), code: string(frame, "code"), message: string(frame, "message"), ...retry(frame),
  }),
  disconnect: (frame) => ({
    type: "disconnect", code: string(frame, "code"), message: string(frame, "message"),
    reconnect: frame.reconnect === true, ...retry(frame),
  }),
};

/** @param {Frame} frame @returns {Entered} */
function entered(frame) {
  return {
    room: string(frame, "room"), epoch: whole(frame, "epoch"), seq: whole(frame, "seq"),
    count: whole(frame, "count"), ...optional(frame, "with"), unread: frame.unread === undefined ? 0 : whole(frame, "unread"),
    ...(frame.read === undefined || frame.read === null ? {} : { read: whole(frame, "read") }),
  };
}

/** A part of a log. @param {Frame} frame */
function page(frame) {
  return {
    ...label(frame), room: string(frame, "room"), epoch: whole(frame, "epoch"),
    messages: list(frame, "messages", message), more: frame.more === true,
  };
}

/** An entry that changes another one. @param {Frame} frame */
function change(frame) {
  return {
    room: string(frame, "room"), seq: whole(frame, "seq"), at: whole(frame, "at"), from: string(frame, "from"),
    target: whole(frame, "target"),
  };
}

/** @param {Frame} frame @returns {Message} */
function message(frame) {
  return {
    room: string(frame, "room"), seq: whole(frame, "seq"), at: whole(frame, "at"), from: string(frame, "from"),
    ...optional(frame, "to"), text: string(frame, "text"), action: frame.action === true, edited: frame.edited === true,
    ...(frame.reply === undefined || frame.reply === null ? {} : { reply: answered(object(frame.reply)) }),
  };
}

/** @param {Frame} frame */
function answered(frame) {
  return { seq: whole(frame, "seq"), from: string(frame, "from") };
}

/** @param {unknown} value @returns {Limits} */
function limits(value) {
  const frame = value === undefined ? {} : object(value);
  /** @param {keyof Limits} name */
  const bound = (name) => (frame[name] === undefined ? DEFAULT_LIMITS[name] : frame[name] === null ? null : whole(frame, name));
  return {
    text: bound("text") ?? DEFAULT_LIMITS.text, frame: bound("frame") ?? DEFAULT_LIMITS.frame,
    rate: bound("rate"), burst: bound("burst"), rooms: bound("rooms") ?? DEFAULT_LIMITS.rooms,
  };
}

/** @param {unknown} value @returns {Frame} */
function object(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("not an object");
  return /** @type {Frame} */ (value);
}

/** @param {Frame} frame @param {string} name */
function string(frame, name) {
  const value = frame[name];
  if (typeof value !== "string") throw new TypeError(name);
  return value;
}

/** @param {Frame} frame @param {string} name */
function whole(frame, name) {
  const value = frame[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw new TypeError(name);
  return value;
}

/**
 * @template T
 * @param {Frame} frame @param {string} name @param {(row: Frame) => T} read
 */
function list(frame, name, read) {
  const value = frame[name];
  if (!Array.isArray(value)) throw new TypeError(name);
  return value.map((row) => read(object(row)));
}

/** @param {Frame} frame @param {string} name @returns {string[]} */
function strings(frame, name) {
  const value = frame[name];
  if (!Array.isArray(value) || value.some((row) => typeof row !== "string")) throw new TypeError(name);
  return value;
}

/**
 * A field that may be left out.
 * @template {string} N
 * @param {Frame} frame @param {N} name
 * @returns {{ [K in N]?: string }}
 */
function optional(frame, name) {
  const some = frame[name] !== undefined && frame[name] !== null;
  return /** @type {{ [K in N]?: string }} */ (some ? { [name]: string(frame, name) } : {});
}

/** @param {Frame} frame */
function label(frame) {
  return optional(frame, "id");
}

/** @param {Frame} frame @returns {{ retry_after_ms?: number }} */
function retry(frame) {
  const wait = frame.retry_after_ms;
  return typeof wait === "number" && wait >= 0 ? { retry_after_ms: Math.ceil(wait) } : {};
}

/**
 * A name as the server compares it: without regard to case.
 * @param {string} name
 */
export function fold(name) {
  return name.trim().normalize("NFKC").toLowerCase().normalize("NFKC");
}

/** Bytes of UTF-8. @param {string} text */
export function byteLength(text) {
  return new TextEncoder().encode(text).length;
}
