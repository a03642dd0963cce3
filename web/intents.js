/**
 * What the user wants, and what has to be asked for it. Pure: (state, intent, now) → state.
 */

import { CHANGEABLE_MS, PAGE_MAX, LOBBY, fold } from "./protocol.js";
import * as outbox from "./outbox.js";
import { lastOf, lastOwn, messageAt } from "./rows.js";
import { shown } from "./past.js";
import { lookFor } from "./search.js";
import { ask, byName, currentRoom, drop, post, put, roomFor, show, target, tell, write } from "./model.js";

/** @import { Intent } from "./commands.js" */
/** @import { State } from "./model.js" */
/** @import { Mode, Room } from "./room.js" */

/**
 * @param {State} state @param {Intent} intent @param {number} now
 * @returns {State}
 */
export function carryOut(state, intent, now) {
  if (!state.welcomed && !WORKS_OFFLINE.has(intent.kind)) {
    return tell(state, "There is no connection at the moment; try again when there is.", now, "error");
  }
  const room = currentRoom(state);
  switch (intent.kind) {
    case "say": return room ? say(state, room, intent.text, intent.action, now) : tell(state, "Join a room first.", now, "error");
    case "say-in": return sayIn(state, intent.room, intent.text, now);
    case "broadcast": return broadcast(state, intent.text, now);
    case "dm": {
      const direct = openDirect(state, intent.to);
      const to = currentRoom(direct);
      return to ? write(direct, to, intent.text, false, now) : direct;
    }
    case "help": return { ...state, dialog: "help" };
    case "quit": return signOut(state, false);
    case "reply": return reply(state, intent.to, intent.text, now);
    case "edit": return changeLast(state, room, intent.text, now);
    case "delete": return changeLast(state, room, null, now);
    case "search": return lookFor(state, intent.words);
    case "create": return enterRoom(state, "create", intent.room, false);
    case "join": return enterRoom(state, "join", intent.room, false);
    case "leave": return leave(state, intent.room, now);
    case "nick": return ask(state, { type: "nick", nick: intent.nick }, { kind: "nick", form: false });
    case "hide":
    case "reveal":
      if (intent.nick && fold(intent.nick) !== fold(state.nick)) {
        return tell(state, "You can hide and reveal only yourself.", now, "error");
      }
      return ask(state, { type: intent.kind }, { kind: "hide" });
    case "members": {
      const where = intent.room ? { room: intent.room } : {};
      const after = intent.after ? { after: intent.after } : {};
      return ask(state, { type: "members", ...where, ...after }, { kind: "members", key: null, further: false, show: true });
    }
    case "rooms": {
      const after = intent.after ? { after: intent.after } : {};
      return ask(state, { type: "rooms", ...after }, { kind: "rooms", further: false, show: true });
    }
    case "history": {
      if (!room) return state;
      const command = { type: "history", ...target(room), limit: Math.min(PAGE_MAX, intent.count) };
      return ask(put(state, { ...room, history: "loading" }), command, { kind: "history", key: room.key, of: "newest" });
    }
    case "error": return tell(state, intent.message, now, "error");
  }
}

/** What needs no answer, or can wait for one. @type {ReadonlySet<Intent["kind"]>} */
const WORKS_OFFLINE = new Set(["say", "say-in", "broadcast", "dm", "reply", "edit", "delete", "search", "help", "quit", "error"]);

/** A line for the room; the first one is the answer that was begun. @param {State} state @param {Room} room @param {string} text @param {boolean} action @param {number} now */
function say(state, room, text, action, now) {
  const answered = room.mode?.kind === "reply" ? { seq: room.mode.seq, from: room.mode.from } : null;
  return write(state, answered ? { ...room, mode: null } : room, text, action, now, answered);
}

/** @param {State} state @param {string} to @param {string} text @param {number} now */
function reply(state, to, text, now) {
  const room = currentRoom(state);
  const row = room && lastOf(room, (nick) => fold(nick) === fold(to));
  if (!room || !row) return tell(state, `There is no message of ${to} here.`, now, "error");
  return write(state, room, text, false, now, { seq: row.seq, from: row.from });
}

/** Other words for what one wrote last, or none. What was never sent is changed on the spot. @param {State} state @param {Room | null} room @param {string | null} text @param {number} now @returns {State} */
function changeLast(state, room, text, now) {
  const waiting = room && outbox.newest(state.outbox, room.key);
  if (waiting && (waiting.state !== "queued" || waiting.tried)) {
    return tell(state, "Your last message is still on its way; try again when it has arrived.", now, "error");
  }
  if (waiting) {
    const { id } = waiting;
    return { ...state, outbox: text === null ? outbox.without(state.outbox, id) : outbox.reworded(state.outbox, id, text) };
  }
  const own = room && lastOwn(room, now - CHANGEABLE_MS);
  if (!own) return tell(state, "There is no message of yours here that can still be changed.", now, "error");
  return text === null ? withdraw(state, room.key, own.seq, now) : change(state, room.key, own.seq, text, now);
}

/** Other words for a message of one's own. @param {State} state @param {string} key @param {number} seq @param {string} text @param {number} now @returns {State} */
export function change(state, key, seq, text, now) {
  const room = state.rooms.get(key);
  if (!room) return state;
  const next = { ...room, mode: null };
  const same = messageAt(shown(room), seq)?.text === text;
  return same ? put(state, next) : post(state, next, { kind: "edit", target: seq, text }, now);
}

/** A message of one's own is to go. @param {State} state @param {string} key @param {number} seq @param {number} now @returns {State} */
export function withdraw(state, key, seq, now) {
  const room = state.rooms.get(key);
  if (!room) return state;
  const mode = room.mode?.seq === seq ? null : room.mode;
  const text = messageAt(shown(room), seq)?.text ?? "";
  return post({ ...state, dialog: "none", question: null }, { ...room, mode }, { kind: "delete", target: seq, text }, now);
}

/** @param {State} state @param {string} key @param {number} seq @returns {State} */
export function askToWithdraw(state, key, seq) {
  const room = state.rooms.get(key);
  const row = room && messageAt(shown(room), seq);
  if (!row) return state;
  const question = {
    words: "Withdraw this message?", detail: row.text, yes: "Withdraw",
    event: { type: /** @type {const} */ ("withdraw"), key, seq, sure: true },
  };
  return { ...state, dialog: "question", question };
}

/** Begins an answer or a change; the field shows it. @param {State} state @param {string} key @param {Mode | null} mode @returns {State} */
export function setMode(state, key, mode) {
  const room = state.rooms.get(key);
  return room ? put(state, { ...room, mode }) : state;
}

/** Begins to change one's last message, unless it is still on its way. @param {State} state @param {number} now @returns {State} */
export function editLast(state, now) {
  const room = currentRoom(state);
  if (!room || state.outbox.items.some((item) => item.room === room.key && item.kind === "send")) return state;
  const own = lastOwn(room, now - CHANGEABLE_MS);
  return own ? put(state, { ...room, past: null, mode: { kind: "edit", seq: own.seq, text: own.text } }) : state;
}

/** Leaves for good. What is not sent yet would be lost, so that is asked about. @param {State} state @param {boolean} sure @returns {State} */
export function signOut(state, sure) {
  const unsent = state.outbox.items.filter((item) => item.seq === null).length;
  if (unsent > 0 && !sure) {
    const question = {
      words: "Leave without what is not sent yet?", yes: "Leave",
      detail: unsent === 1 ? "One message has not arrived yet, and would be lost." : `${unsent} messages have not arrived yet, and would be lost.`,
      event: { type: /** @type {const} */ ("sign-out") },
    };
    return { ...state, dialog: "question", question };
  }
  if (!state.welcomed) return { ...state, phase: "login" };
  return { ...state, dialog: "none", question: null, send: [...state.send, { type: "quit" }] };
}

/** Tries again what was refused; a room that one is no longer in is entered first. @param {State} state @param {string} id @param {number} now @returns {State} */
export function sendAgain(state, id, now) {
  const next = { ...state, outbox: outbox.again(state.outbox, id, now) };
  const item = next.outbox.items.find((one) => one.id === id);
  const room = item && next.rooms.get(item.room);
  if (!room || room.present || room.with !== null || room.name === null || !state.welcomed) return next;
  return ask(next, { type: "join", room: room.name }, { kind: "restore", room: room.name });
}

/** @param {State} state @param {string} name @param {string} text @param {number} now */
function sayIn(state, name, text, now) {
  const room = byName(state, name);
  return room ? write(state, room, text, false, now) : tell(state, `You are not in a room ${name}.`, now, "error");
}

/** @param {State} state @param {string} text @param {number} now */
function broadcast(state, text, now) {
  const lobby = byName(state, LOBBY);
  if (!lobby) return tell(state, "You are not in the lobby. /join lobby takes you there.", now, "error");
  return text ? write(state, lobby, text, false, now) : show(state, lobby.key);
}

/** @param {State} state @param {string} name @param {number} now */
function leave(state, name, now) {
  const room = name ? byName(state, name) : currentRoom(state);
  if (!room) return tell(state, name ? `You are not in a room ${name}.` : "You are in no room.", now, "error");
  return leaveRoom(state, room.key);
}

/**
 * Leaves a room; a direct conversation is only put away, until its next message.
 * @param {State} state @param {string} key
 * @returns {State}
 */
export function leaveRoom(state, key) {
  const room = state.rooms.get(key);
  if (!room) return state;
  if (room.with !== null || room.name === null) return drop(state, key);
  return ask(state, { type: "leave", room: room.name }, { kind: "leave", key });
}

/**
 * @param {State} state @param {"create" | "join"} how @param {string} name @param {boolean} form whether a form shows the error
 * @returns {State}
 */
export function enterRoom(state, how, name, form) {
  const room = byName(state, name);
  if (room?.present) return show({ ...state, dialog: form ? "none" : state.dialog }, room.key);
  return ask({ ...state, formError: null }, { type: how, room: name }, { kind: "enter", room: name, form });
}

/** Goes to the conversation with somebody. @param {State} state @param {string} nick @returns {State} */
export function openDirect(state, nick) {
  const room = roomFor(state, null, nick);
  return show({ ...put(state, room), dialog: "none" }, room.key);
}
