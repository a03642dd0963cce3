/**
 * What the server says, and what it changes. Pure: (state, event, now) → state.
 */

import { LOBBY, PAGE_MAX, fold } from "./protocol.js";
import * as outbox from "./outbox.js";
import {
  addGap, addMembers, addMessage, addNotice, addPresence, enter, hasMessage, newest, rename, seenUpTo,
} from "./room.js";
import { ask, byName, currentRoom, drop, listed, put, roomFor, show, target, tell } from "./model.js";
import { refused } from "./refusal.js";

/** @import { Ack, Entered, History, Joined, Members, Message, Rooms, ServerEvent, Welcome } from "./protocol.js" */
/** @import { Request, State } from "./model.js" */

/**
 * @param {State} before @param {ServerEvent} event @param {number} now
 * @returns {State}
 */
export function receive(before, event, now) {
  const id = "id" in event ? event.id : undefined;
  const request = id === undefined ? undefined : before.requests.get(id);
  const state = id !== undefined && request ? answered(before, id) : before;
  switch (event.type) {
    case "welcome": return welcome(state, event);
    case "message": return live(state, event);
    case "presence": return inRoom(state, event.room, (room) => addPresence(room, event, state.nick, now));
    case "renamed": return inRoom(state, event.room, (room) => rename(room, event.from, event.to, now));
    case "gap": return inRoom(state, event.room, (room) => addGap(room, event, now));
    case "ack": return ack(state, event);
    case "joined": return joined(state, event, request, now);
    case "left": return left(state, event.room);
    case "rooms": return rooms(state, event, request, now);
    case "members": return members(state, event, request, now);
    case "nick": return named(state, event.nick, request);
    case "hidden": return hidden(state, event.hidden, now);
    case "history": return history(state, event, request);
    case "error": return refused(state, event, request, now);
    case "disconnect": return event.code === "bye" ? { ...state, phase: "login" } : state;
    default: return state;
  }
}

/** @param {State} state @param {string} id @returns {State} */
function answered(state, id) {
  const requests = new Map(state.requests);
  requests.delete(id);
  return { ...state, requests };
}

/** @param {State} state @param {string} name @param {(room: import("./room.js").Room) => import("./room.js").Room} change */
function inRoom(state, name, change) {
  const room = byName(state, name);
  return room ? put(state, change(room)) : state;
}

/** @param {State} before @param {Welcome} event @returns {State} */
function welcome(before, event) {
  /** @type {State} */
  let state = {
    ...before, phase: "chat", nick: event.nick, limits: event.limits, welcomed: true, returning: true,
    loginError: "", takenSince: null, helloAt: null,
  };
  const here = new Set();
  for (const entered of event.rooms) {
    state = arrive(state, entered);
    here.add(byName(state, entered.room)?.key);
  }
  for (const room of state.rooms.values()) {
    // A direct conversation ends with the connection: its log cannot tell any more.
    if (!here.has(room.key) && room.with !== null) state = { ...state, outbox: outbox.unknown(state.outbox, room.key) };
    // A room that the server has forgotten, by a restart for instance: whoever comes first makes it anew.
    if (!here.has(room.key) && room.name !== null && room.with === null) {
      state = ask(state, { type: "create", room: room.name }, { kind: "restore", room: room.name });
    }
  }
  if (before.hidden) state = ask(state, { type: "hide" }, { kind: "hide" });
  if (currentRoom(state)) return show(state, state.current);
  const first = byName(state, LOBBY) ?? listed(state)[0];
  return first ? show(state, first.key) : state;
}

/** @param {State} state @param {Entered} entered @param {boolean} [created] @returns {State} */
function arrive(state, entered, created = false) {
  const room = roomFor(state, entered.room, entered.with ?? null);
  const next = enter(room, entered, created);
  const afresh = next.life !== room.life;
  const items = !afresh ? state.outbox.items : state.outbox.items
    // The old log is gone: what it had acknowledged went with it, what was unsure is not in the new one.
    .filter((item) => item.room !== room.key || item.seq === null);
  const box = { ...state.outbox, items };
  return put({ ...state, outbox: afresh ? outbox.lookedUp(box, room.key) : box }, { ...next, roll: "none" });
}

/** @param {State} state @param {Message} message @returns {State} */
function live(state, message) {
  const mine = fold(message.from) === fold(state.nick);
  const other = message.to === undefined ? null : mine ? message.to : message.from;
  const room = roomFor(state, message.room, other);
  const added = addMessage(room, message, mine);
  let next = seenUpTo(added.name === null ? { ...added, name: message.room } : added, message.seq);
  const looking = state.attentive && state.current === room.key;
  if (added !== room && !mine && !looking) {
    next = {
      ...next, unread: room.unread + 1, mentioned: room.mentioned || room.with !== null || mentions(message.text, state.nick),
      readUpTo: room.unread === 0 ? newest(room) : room.readUpTo,
    };
  }
  const settled = mine ? { ...state, outbox: outbox.settle(state.outbox, room.key, message) } : state;
  return put(settled, next);
}

/** @param {string} text @param {string} nick */
function mentions(text, nick) {
  return fold(text).split(/[^\p{L}\p{N}\p{M}_.-]+/u).some((word) => word.replace(/[.-]+$/, "") === fold(nick));
}

/** @param {State} state @param {Ack} event @returns {State} */
function ack(state, event) {
  const room = byName(state, event.room);
  const shown = room !== null && hasMessage(room, event.seq);
  return { ...state, outbox: outbox.acked(state.outbox, event.id, event.seq, shown) };
}

/** @param {State} before @param {Joined} event @param {Request | undefined} request @param {number} now @returns {State} */
function joined(before, event, request, now) {
  let state = arrive(before, event, event.created);
  const room = byName(state, event.room);
  if (!room) return state;
  if (request?.kind === "restore" && event.created) {
    return put(state, addNotice(room, `The server had forgotten ${event.room}; the room was made anew.`, now));
  }
  if (request?.kind !== "enter") return state;
  if (event.created) state = put(state, addNotice(room, `You created ${event.room}.`, now));
  return show({ ...state, dialog: request.form ? "none" : state.dialog, formError: null }, room.key);
}

/** @param {State} state @param {string} name */
function left(state, name) {
  const room = byName(state, name);
  if (!room) return state;
  // What was said to each other stays to be read.
  return room.with === null ? drop(state, room.key) : put(state, { ...room, present: false });
}

/** @param {State} state @param {Rooms} event @param {Request | undefined} request @param {number} now @returns {State} */
function rooms(state, event, request, now) {
  if (request?.kind !== "rooms") return state;
  if (request.show) {
    const names = event.rooms.map((row) => `${row.room} (${row.count.toLocaleString()})`).join(", ");
    const more = event.more ? `, … /get_rooms ${event.rooms.at(-1)?.room} goes on` : "";
    return tell(state, names ? `Rooms: ${names}${more}` : "No rooms available", now);
  }
  const rows = request.further ? [...state.directory.rows, ...event.rooms] : event.rooms;
  return { ...state, directory: { rows, more: event.more, loading: false } };
}

/** @param {State} state @param {Members} event @param {Request | undefined} request @param {number} now @returns {State} */
function members(state, event, request, now) {
  if (request?.kind !== "members") return state;
  if (request.show) {
    const where = event.room === undefined ? "online" : `in ${event.room}`;
    const more = event.more ? ", …" : "";
    return tell(state, `${event.count.toLocaleString()} ${where}: ${event.members.join(", ")}${more}`, now);
  }
  const room = request.key === null ? null : state.rooms.get(request.key);
  return room ? put(state, addMembers(room, event, request.further)) : state;
}

/** @param {State} state @param {string} nick @param {Request | undefined} request @returns {State} */
function named(state, nick, request) {
  const form = request?.kind === "nick" && request.form;
  return { ...state, nick, dialog: form ? "none" : state.dialog, formError: null };
}

/** @param {State} state @param {boolean} isHidden @param {number} now @returns {State} */
function hidden(state, isHidden, now) {
  if (isHidden === state.hidden) return state;
  const text = isHidden ? "You are now invisible." : "You are now visible to other users.";
  return tell({ ...state, hidden: isHidden }, text, now);
}

/** @param {State} before @param {History} event @param {Request | undefined} request @returns {State} */
function history(before, event, request) {
  if (request?.kind !== "history") return before;
  const known = before.rooms.get(request.key);
  if (!known) return before;
  let room = known.name === null ? { ...known, name: event.room } : known;
  if (room.epoch === 0) {
    room = { ...room, epoch: event.epoch, seq: event.messages.at(-1)?.seq ?? 0 };
  }
  let box = before.outbox;
  if (room.epoch === event.epoch) {
    for (const message of event.messages) {
      const mine = fold(message.from) === fold(before.nick);
      room = addMessage(room, message, mine);
      if (mine) box = outbox.settle(box, room.key, message);
    }
  }
  if (request.of !== "lookup") room = { ...room, history: event.more ? "more" : "all" };
  const state = put({ ...before, outbox: box }, room);
  if (request.of !== "lookup") return state;
  const last = event.messages.at(-1);
  if (event.more && last) {
    return ask(state, { type: "history", ...target(room), after: last.seq, limit: PAGE_MAX }, request);
  }
  return { ...state, outbox: outbox.lookedUp(state.outbox, room.key) };
}

