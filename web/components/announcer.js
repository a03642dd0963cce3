/**
 * The one live region: it tells a screen reader what is new in the current room and how the
 * connection is. What comes in quick succession is told as one sentence.
 */

import { plural } from "../format.js";
import { currentRoom } from "../model.js";
import { title } from "../room.js";
import { byId } from "./dom.js";

/** @import { Row } from "../rows.js" */
/** @import { State } from "../model.js" */
/** @import { View } from "./view.js" */

/** What comes within this time is told together. */
const GATHER_MS = 700;
/** More messages than this are counted instead of read out. */
const READ_OUT = 3;
const LONGEST = 200;

/** @returns {View} */
export function announcer() {
  const region = byId("announcer", HTMLElement);
  /** @type {string[]} */
  let messages = [];
  /** @type {string[]} */
  let others = [];
  /** @type {ReturnType<typeof setTimeout> | null} */
  let timer = null;
  /** @type {State | null} */
  let last = null;

  const flush = () => {
    timer = null;
    const told = messages.length > READ_OUT ? [`${plural(messages.length, "new message")}. The last: ${messages.at(-1)}`] : messages;
    const text = [...others, ...told].join(" ");
    messages = [];
    others = [];
    // The same words twice are news twice.
    region.textContent = region.textContent === text ? `${text}\u00a0` : text;
  };

  return {
    render(state) {
      if (last !== null) {
        others.push(...connectionNews(last, state), ...elsewhere(last, state));
        for (const row of newRows(last, state)) {
          if (row.kind === "message") messages.push(`${row.from}${row.action ? "" : ":"} ${row.text}`.slice(0, LONGEST));
          else if (row.kind === "notice") others.push(row.text);
        }
      }
      last = state;
      if (timer === null && (messages.length > 0 || others.length > 0)) timer = setTimeout(flush, GATHER_MS);
    },
  };
}

/** @param {State} before @param {State} after @returns {string[]} */
function connectionNews(before, after) {
  if (before.phase !== "login" && after.phase === "login" && after.loginError) return [after.loginError];
  if (!before.welcomed && after.welcomed) return [before.phase === "chat" ? "Connected again." : "Connected."];
  if (before.welcomed && !after.welcomed && after.phase === "chat") return ["Connection lost."];
  return [];
}

/** Somebody wants one's attention in another room. @param {State} before @param {State} after @returns {string[]} */
function elsewhere(before, after) {
  if (before.rooms === after.rooms) return [];
  return [...after.rooms.values()]
    .filter((room) => room.mentioned && room.key !== after.current && before.rooms.get(room.key)?.mentioned !== true)
    .map((room) => (room.with === null ? `You are mentioned in ${title(room)}.` : `${room.with} wrote to you.`));
}

/** What came to the end of the room that one is in. @param {State} before @param {State} after @returns {Row[]} */
function newRows(before, after) {
  const old = currentRoom(before);
  const room = currentRoom(after);
  if (!old || !room || old.key !== room.key || old.rows === room.rows || old.history === "loading" || old.history === "none") return [];
  // A message that was changed is no new one.
  const known = new Set(old.rows.map((row) => row.key));
  const lastSeq = old.rows.findLast((row) => row.life === room.life)?.seq ?? 0;
  return room.rows.filter((row) => !known.has(row.key) && (row.life > old.life || row.seq >= lastSeq) && !(row.kind === "message" && row.mine));
}
