/**
 * Coming in, and coming back: which rooms one is in, and what becomes of what was still to be
 * said. Pure: (state, event) → state.
 */

import { LOBBY } from "./protocol.js";
import * as outbox from "./outbox.js";
import { began } from "./own.js";
import { enter } from "./room.js";
import { readingOf } from "./reading.js";
import { ask, byName, currentRoom, drop, listed, put, roomFor, show } from "./model.js";

/** @import { Entered, Welcome } from "./protocol.js" */
/** @import { Room } from "./room.js" */
/** @import { State } from "./model.js" */

/** @param {State} before @param {Welcome} event @returns {State} */
export function welcome(before, event) {
  // Ids belong to a person: to somebody new nothing that was on its way can be said again safely.
  const box = event.resumed ? outbox.resumed(before.outbox) : outbox.orphaned(before.outbox);
  /** @type {State} */
  let state = {
    ...before, phase: "chat", nick: event.nick, token: event.token ?? null, limits: event.limits, welcomed: true, returning: true,
    replaced: false, hidden: event.hidden, loginError: "", takenSince: null, helloAt: null, outbox: box,
    // Somebody new has written nothing yet, whoever had the name before.
    own: event.resumed ? before.own : event.rooms.reduce(began, new Map()),
  };
  const here = new Set();
  for (const entered of event.rooms) {
    state = arrive(state, entered);
    here.add(byName(state, entered.room)?.key);
  }
  for (const room of state.rooms.values()) {
    if (!here.has(room.key) && room.name !== null && room.with === null) state = missing(state, room, room.name, event.resumed);
  }
  if (currentRoom(state)) return state;
  const first = byName(state, LOBBY) ?? listed(state)[0];
  return first ? show(state, first.key) : state;
}

/** A room that one was in, and is not. @param {State} state @param {Room} room @param {string} name @param {boolean} resumed @returns {State} */
function missing(state, room, name, resumed) {
  // A room that the server has forgotten, by a restart for instance: whoever comes first makes it anew.
  if (!resumed) return ask(state, { type: "create", room: name }, { kind: "restore", room: name });
  // It was named in hello, and the answer to that follows.
  if (room.epoch !== 0) return state;
  const unsent = state.outbox.items.some((item) => item.room === room.key && item.seq === null);
  return unsent ? { ...state, outbox: outbox.roomLost(state.outbox, room.key, `You are no longer in ${name}.`) } : drop(state, room.key);
}

/** The server has us in a room. @param {State} state @param {Entered} entered @param {boolean} [created] @returns {State} */
export function arrive(state, entered, created = false) {
  const room = roomFor(state, entered.room, entered.with ?? null);
  const next = readingOf(room, enter(room, entered, created), entered);
  const box = outbox.otherLog(state.outbox, room.key, entered.epoch);
  return put({ ...state, outbox: outbox.passed(box, room.key, entered.seq) }, { ...next, roll: "none" });
}
