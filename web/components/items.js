/**
 * What the timeline shows, in order: rows, the days between them, the line above what is new, and
 * what is still to be sent.
 */

import { plural } from "../format.js";
import { CHANGEABLE_MS, fold, LOBBY } from "../protocol.js";
import { isNews } from "../reading.js";
import { indexOf } from "../rows.js";
import { el } from "./dom.js";
import { outgoingElement, rowElement } from "./row.js";

/** @import { Room } from "../room.js" */
/** @import { State } from "../model.js" */
/** @import { Outgoing } from "../outbox.js" */
/** @import { Item } from "./list.js" */

/** Messages of one author closer together than this are shown under one name. */
const TOGETHER_MS = 5 * 60_000;

/**
 * @param {Room} room what is looked at: the room, or a part of its past
 * @param {State} state @param {(at: number) => string} dayOf @param {number} now
 * @returns {Item[]}
 */
export function timelineItems(room, state, dayOf, now) {
  /** @type {Item[]} */
  const items = [];
  const isLobby = room.name !== null && fold(room.name) === LOBBY;
  const outgoing = state.outbox.items.filter((item) => item.room === room.key && item.seen === null);
  const changes = new Map(outgoing.filter((item) => item.target !== null).map((item) => [item.target, item]));
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
  /** @param {{ from: string, at: number, action: boolean, reply: unknown }} message */
  const joins = ({ from, at, action, reply }) => {
    const same = !action && !reply && above !== null && above.from === from && at - above.at < TOGETHER_MS;
    if (action) above = null;
    else if (!same) above = { from, at };
    return same;
  };
  /** @param {{ seq: number } | null} reply */
  const answeredBy = (reply) => {
    const row = reply === null ? undefined : room.rows[indexOf(room, reply.seq)];
    return row?.kind === "message" ? row : row ? /** @type {const} */ ("gone") : null;
  };

  for (const row of room.rows) {
    newDay(row.at);
    if (!divided && isNews(row, room.life, room.readUpTo ?? 0)) {
      divided = true;
      above = null;
      const words = room.news > 0 ? plural(room.news, "new message") : "New";
      items.push({ key: "news", parts: [words], build: () => el("li", { class: "news" }, el("span", {}, words)) });
    }
    if (row.kind !== "message") {
      above = null;
      items.push({ key: row.key, parts: [row], build: () => rowElement(row, plainLook(isLobby), state.welcomed) });
      continue;
    }
    const live = row.life === room.life;
    const change = (live && changes.get(row.seq)) || null;
    if (change) changes.delete(row.seq);
    const look = {
      follows: joins(row), isLobby, answered: live ? answeredBy(row.reply) : null, change, live,
      changeable: live && row.mine && now - row.at < CHANGEABLE_MS,
    };
    items.push({ key: row.key, parts: [row, ...Object.values(look), change && state.welcomed], build: () => rowElement(row, look, state.welcomed) });
  }
  if (room.ahead !== "all") return items;
  for (const item of outgoing) {
    if (item.target !== null && !isHomeless(item, changes)) continue;
    newDay(item.at);
    const look = { follows: joins(item), answered: answeredBy(item.reply) };
    items.push({ key: `o:${item.id}`, parts: [item, ...Object.values(look), state.welcomed], build: () => outgoingElement(item, look, state.welcomed) });
  }
  return items;
}

/** Whether it has failed, and the message that it would change is not in view. @param {Outgoing} item @param {ReadonlyMap<number | null, Outgoing>} left */
function isHomeless(item, left) {
  return item.state === "failed" && left.get(item.target) === item;
}

/** @param {boolean} isLobby */
function plainLook(isLobby) {
  return { follows: false, isLobby, answered: null, change: null, changeable: false, live: false };
}
