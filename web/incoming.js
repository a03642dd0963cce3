/**
 * What the server says, and what it changes. Pure: (state, event, now) → state.
 */

import { fold } from "./protocol.js";
import * as outbox from "./outbox.js";
import { addGap, seenUpTo } from "./room.js";
import { addMessage, addNotice, deleteMessage, editMessage, markMine, ownRows } from "./rows.js";
import { addMembers, addPresence, rename } from "./roll.js";
import { isWatched, oneLess, oneMore, readTo } from "./reading.js";
import { byName, drop, put, roomFor, show, tell } from "./model.js";
import { began, claimed, isNew, isOwn } from "./own.js";
import { arrive, welcome } from "./arrival.js";
import { pastArrived } from "./past.js";
import { found } from "./search.js";
import { refused } from "./refusal.js";

/** @import { Ack, Deleted, Edited, History, Joined, Members, Message, Rooms, ServerEvent } from "./protocol.js" */
/** @import { Room } from "./room.js" */
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
    case "edited": return changed(state, event, (room) => editMessage(room, event));
    case "deleted": return changed(state, event, (room) => deleteMessage(room, event));
    case "read": return inRoom(state, event.room, (room) => readTo({ ...room, readSent: Math.max(room.readSent, event.seq) }, event.seq));
    case "presence": return inRoom(state, event.room, (room) => addPresence(room, event, state.nick, now));
    case "renamed": return inRoom(state, event.room, (room) => rename(room, event.from, event.to, now));
    case "gap": return passed(inRoom(state, event.room, (room) => addGap(room, event, now)), event.room, event.before - 1);
    case "ack": return ack(state, event);
    case "joined": return joined(state, event, request, now);
    case "left": return left(state, event.room, request, now);
    case "rooms": return rooms(state, event, request, now);
    case "members": return members(state, event, request, now);
    case "nick": return named(keepOwn(state), event.nick, request);
    case "hidden": return hidden(state, event.hidden, now);
    case "history": return history(state, event, request);
    case "found": return found(state, event, request);
    case "error": return refused(state, event, request, now);
    case "disconnect": return event.code === "bye" ? { ...state, phase: "login" } : event.code === "replaced" ? { ...state, replaced: true } : state;
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

/** The room has been read up to there. @param {State} state @param {string} name @param {number} seq @returns {State} */
function passed(state, name, seq) {
  const room = byName(state, name);
  return room ? { ...state, outbox: outbox.passed(state.outbox, room.key, seq) } : state;
}

/** @param {State} state @param {Message} message @returns {State} */
function live(state, message) {
  const epoch = byName(state, message.room)?.epoch ?? 0;
  const mine = isOwn(state.own, epoch, message, state.nick);
  const other = message.to === undefined ? null : mine ? message.to : message.from;
  const room = roomFor(state, message.room, other);
  const added = addMessage(room, message, mine);
  let next = seenUpTo(added.name === null ? { ...added, name: message.room } : added, message.seq);
  const news = added !== room && !mine && message.seq > room.read;
  if (news && !isWatched(state, room.key)) next = oneMore(next, room.with !== null || mentions(message.text, state.nick));
  const box = mine ? outbox.recognized(state.outbox, room.key, message) : state.outbox;
  // A name is one's own while one has it, but another may have it later.
  const own = mine ? claimed(state.own, message.room, epoch, [message.seq]) : state.own;
  return put({ ...state, own, outbox: outbox.passed(box, room.key, message.seq) }, next);
}

/** A message has other words, or is gone: in the present, and in the past that may be looked at. @param {State} state @param {Edited | Deleted} event @param {(room: Room) => Room} change @returns {State} */
function changed(state, event, change) {
  const next = inRoom(state, event.room, (room) => {
    let after = change(room);
    if (event.type === "deleted") after = oneLess(room, after, event.target);
    if (after.past) after = { ...after, past: change(after.past) };
    return seenUpTo(after, event.seq);
  });
  return passed(next, event.room, event.seq);
}

/** @param {string} text @param {string} nick */
function mentions(text, nick) {
  return fold(text).split(/[^\p{L}\p{N}\p{M}_.-]+/u).some((word) => word.replace(/[.-]+$/, "") === fold(nick));
}

/** @param {State} state @param {Ack} event @returns {State} */
function ack(state, event) {
  const room = byName(state, event.room);
  const shown = room !== null && room.seq >= event.seq;
  const next = { ...state, outbox: outbox.acked(state.outbox, event.id, event.seq, shown) };
  const isMessage = state.outbox.items.some(({ id, kind }) => id === event.id && kind === "send");
  if (!room || !isMessage) return next;
  return put({ ...next, own: claimed(next.own, event.room, room.epoch, [event.seq]) }, markMine(room, event.seq, true));
}

/** @param {State} before @param {Joined} event @param {Request | undefined} request @param {number} now @returns {State} */
function joined(before, event, request, now) {
  const own = isNew(before.own, event) ? began(before.own, event) : before.own;
  let state = arrive({ ...before, own }, event, event.created);
  const room = byName(state, event.room);
  if (!room) return state;
  if (request?.kind === "restore" && event.created) {
    return put(state, addNotice(room, `The server had forgotten ${event.room}; the room was made anew.`, now));
  }
  if (request?.kind !== "enter") return state;
  if (event.created) state = put(state, addNotice(room, `You created ${event.room}.`, now));
  return show({ ...state, dialog: request.form ? "none" : state.dialog, formError: null }, room.key);
}

/** @param {State} state @param {string} name @param {Request | undefined} request @param {number} now @returns {State} */
function left(state, name, request, now) {
  const room = byName(state, name);
  if (!room) return state;
  // What was said to each other stays to be read.
  if (room.with !== null) return put(state, { ...room, present: false });
  const unsent = state.outbox.items.some((item) => item.room === room.key && item.seq === null);
  if (request?.kind === "leave" || !unsent) return drop(state, room.key);
  // Another of one's clients has left it, and here something was still to be said.
  const box = outbox.roomLost(state.outbox, room.key, `You are no longer in ${name}.`);
  return tell(put({ ...state, outbox: box }, { ...room, present: false }), `You have left ${name} with another device.`, now);
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

/** What is one's own stays so under another name. @param {State} state @returns {State} */
function keepOwn(state) {
  let { own } = state;
  for (const room of state.rooms.values()) if (room.name !== null) own = claimed(own, room.name, room.epoch, ownRows(room));
  return { ...state, own };
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
  if (request?.kind === "past") return pastArrived(before, event, request);
  if (request?.kind !== "history") return before;
  const known = before.rooms.get(request.key);
  if (!known) return before;
  let room = known.name === null ? { ...known, name: event.room } : known;
  if (room.epoch === 0) room = { ...room, epoch: event.epoch, seq: event.messages.at(-1)?.seq ?? 0 };
  if (room.epoch === event.epoch) {
    for (const message of event.messages) room = addMessage(room, message, isOwn(before.own, room.epoch, message, before.nick));
  }
  return put(before, { ...room, history: event.more ? "more" : "all" });
}
