/**
 * What the user wants, and what has to be asked for it. Pure: (state, intent, now) → state.
 */

import { PAGE_MAX, LOBBY, fold } from "./protocol.js";
import { ask, byName, currentRoom, drop, put, roomFor, show, target, tell, write } from "./model.js";

/** @import { Intent } from "./commands.js" */
/** @import { State } from "./model.js" */

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
    case "say": return room ? write(state, room, intent.text, intent.action, now) : tell(state, "Join a room first.", now, "error");
    case "say-in": return sayIn(state, intent.room, intent.text, now);
    case "broadcast": return broadcast(state, intent.text, now);
    case "dm": {
      const direct = openDirect(state, intent.to);
      const to = currentRoom(direct);
      return to ? write(direct, to, intent.text, false, now) : direct;
    }
    case "help": return { ...state, dialog: "help" };
    case "quit": return { ...state, send: [...state.send, { type: "quit" }] };
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
const WORKS_OFFLINE = new Set(["say", "say-in", "broadcast", "dm", "help", "error"]);

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
