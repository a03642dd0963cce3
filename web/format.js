/**
 * How things are put into words. Pure, and without a document.
 */

/** @import { State } from "./model.js" */
/** @import { PresenceRow } from "./rows.js" */

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const NAMES_SHOWN = 5;
/** The last moment that a Date can hold. */
const LAST_MOMENT = 8.64e15;

/** @param {number} at */
export function time(at) {
  return TIME.format(moment(at));
}

/** @param {number} at */
export function day(at) {
  return DAY.format(moment(at));
}

/** @param {number} at */
export function fullTime(at) {
  return FULL.format(moment(at));
}

/** When, with the day if it is not today. @param {number} at @param {number} now */
export function when(at, now) {
  return day(at) === day(now) ? time(at) : DATE.format(moment(at));
}

/** @param {number} at */
export function moment(at) {
  return new Date(Math.min(at, LAST_MOMENT));
}

/** @param {number} count @param {string} one @param {string} [many] */
export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/** The state of the connection, in words. @param {State} state @param {number} now */
export function connectionWords(state, now) {
  const { status } = state;
  switch (status.kind) {
    case "open":
      if (state.welcomed) return "Connected";
      return state.takenSince === null ? "Connecting…" : "Your nickname is still held by your earlier connection. Trying again…";
    case "connecting": return state.returning ? "Reconnecting…" : "Connecting…";
    case "closed": if (state.replaced) return "This conversation goes on in another tab or window.";
      return status.reason ? `Disconnected. ${status.reason}` : "Disconnected.";
    case "waiting": {
      const seconds = Math.max(1, Math.ceil((status.until - now) / 1000));
      const what = status.reason || (state.returning ? "Connection lost." : "The server cannot be reached.");
      return `${what} Next try in ${seconds}\u00a0s.`;
    }
  }
}

/** Who came and went, as one line. @param {PresenceRow} row @param {boolean} isLobby */
export function presenceWords(row, isLobby) {
  const parts = [];
  if (row.joinedCount > 0) parts.push(crowd(row.joined, row.joinedCount, isLobby ? "came online" : "joined"));
  if (row.leftCount > 0) parts.push(crowd(row.left, row.leftCount, isLobby ? "went offline" : "left"));
  const many = row.joinedCount + row.leftCount > NAMES_SHOWN;
  return `${parts.join(", ")}${many ? `, ${row.count.toLocaleString()} here` : ""}.`;
}

/** @param {readonly string[]} names @param {number} count @param {string} verb */
function crowd(names, count, verb) {
  if (count > NAMES_SHOWN || names.length === 0) return `${count === 1 ? "1 person" : `${count.toLocaleString()} people`} ${verb}`;
  const listed = names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0];
  const others = count - names.length;
  return `${listed}${others > 0 ? ` and ${plural(others, "other")}` : ""} ${verb}`;
}

/**
 * A text cut into plain parts and links. Only `http` and `https` can be a link.
 * @param {string} text
 * @returns {{ text: string, href: string | null }[]}
 */
export function linked(text) {
  const parts = [];
  let done = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"“”«»]+/gi)) {
    const shown = withoutTail(match[0]);
    const href = safeUrl(shown);
    if (href === null) continue;
    if (match.index > done) parts.push({ text: text.slice(done, match.index), href: null });
    parts.push({ text: shown, href });
    done = match.index + shown.length;
  }
  if (done < text.length) parts.push({ text: text.slice(done), href: null });
  return parts;
}

/** The full stop behind a link is not part of it, nor is the bracket round it. @param {string} url */
function withoutTail(url) {
  let end = url.length;
  for (;;) {
    const last = url[end - 1];
    const opened = last === ")" ? "(" : last === "]" ? "[" : null;
    if (opened !== null) {
      const inside = url.slice(0, end);
      if (inside.split(opened).length >= inside.split(last).length) break;
    } else if (!/[.,;:!?'’*_~]/.test(last ?? "")) break;
    end -= 1;
  }
  return url.slice(0, end);
}

/** @param {string} url */
function safeUrl(url) {
  try {
    const { protocol, href } = new URL(url);
    return protocol === "http:" || protocol === "https:" ? href : null;
  } catch {
    return null;
  }
}

/** How many colours tell people apart. */
const HUES = 12;

/** The same name has the same colour everywhere. @param {string} name */
export function hue(name) {
  let hash = 0x811c9dc5;
  for (const character of name.toLowerCase()) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return `hue-${((hash ^ (hash >>> 15)) >>> 0) % HUES}`;
}

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** @param {string} name */
export function initial(name) {
  for (const { segment } of GRAPHEMES.segment(name)) return segment.toLocaleUpperCase();
  return "?";
}
