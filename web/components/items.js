/**
 * What the timeline shows, in order: rows, the days between them, the line above what is new, and
 * what is still to be sent.
 */

import { fold, LOBBY } from "../protocol.js";
import { el } from "./dom.js";
import { outgoingElement, rowElement } from "./row.js";

/** @import { Room } from "../room.js" */
/** @import { State } from "../model.js" */
/** @import { Item } from "./list.js" */

/** Messages of one author closer together than this are shown under one name. */
const TOGETHER_MS = 5 * 60_000;

/**
 * @param {Room} room @param {State} state @param {(at: number) => string} dayOf
 * @returns {Item[]}
 */
export function timelineItems(room, state, dayOf) {
  /** @type {Item[]} */
  const items = [];
  const isLobby = room.name !== null && fold(room.name) === LOBBY;
  let lastDay = "";
  let lastDayNumber = NaN;
  /** @type {{ from: string, at: number } | null} */
  let above = null;
  let divided = room.readUpTo === null;

  /** @param {number} at */
  const newDay = (at) => {
    const date = new Date(at);
    // Formatting a date is slow; most rows are of the day of the row above.
    const number = date.getFullYear() * 400 + date.getMonth() * 32 + date.getDate();
    if (number === lastDayNumber) return;
    lastDayNumber = number;
    lastDay = dayOf(at);
    const label = lastDay;
    above = null;
    items.push({ key: `d:${label}:${items.length === 0 ? "" : items.at(-1)?.key}`, parts: [label], build: () => el("li", { class: "day" }, el("span", {}, label)) });
  };
  /** @param {string} from @param {number} at @param {boolean} action */
  const follows = (from, at, action) => {
    const same = !action && above !== null && above.from === from && at - above.at < TOGETHER_MS;
    if (action) above = null;
    else if (!same) above = { from, at };
    return same;
  };

  for (const row of room.rows) {
    newDay(row.at);
    if (!divided && row.kind === "message" && !row.mine && row.life === room.life && row.seq > (room.readUpTo ?? 0)) {
      divided = true;
      above = null;
      items.push({ key: "news", parts: [], build: () => el("li", { class: "news" }, el("span", {}, "New")) });
    }
    const joins = row.kind === "message" ? follows(row.from, row.at, row.action) : false;
    if (row.kind !== "message") above = null;
    items.push({ key: row.key, parts: [row, joins], build: () => rowElement(row, joins, isLobby) });
  }
  for (const item of state.outbox.items) {
    if (item.room !== room.key) continue;
    newDay(item.at);
    const joins = follows(item.from, item.at, item.action);
    items.push({ key: `o:${item.id}`, parts: [item, joins, state.welcomed], build: () => outgoingElement(item, joins, state.welcomed) });
  }
  return items;
}
