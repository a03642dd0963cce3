/**
 * Ties the state to the connection and to the browser's memory. It has no document in it.
 *
 * The nickname is remembered for good; the rooms one is in only for the tab, so that a reload
 * comes back to where it was while a new tab asks who is there.
 */

import { INITIAL } from "./model.js";
import { nextTick, update } from "./state.js";

/** @import { Connection } from "./connection.js" */
/** @import { Event } from "./state.js" */
/** @import { State } from "./model.js" */

const NICK_KEY = "crosstalk.nick";
const SESSION_KEY = "crosstalk.session";

export class Session {
  /** @type {State} */ state = INITIAL;
  /** @type {unknown} */ #timer = null;
  #saved = "";

  /**
   * @param {Connection} connection
   * @param {(state: State) => void} onChange
   */
  constructor(connection, onChange) {
    this.connection = connection;
    this.onChange = onChange;
  }

  /** @param {Event} event */
  dispatch(event) {
    const before = this.state;
    const state = update(before, event, Date.now());
    this.state = state;
    for (const command of state.send) this.connection.send(command);
    this.#followPhase(before, state);
    this.#schedule(state);
    this.#save(state);
    this.onChange(this.state);
  }

  /** Comes back after a reload, if one was here. @returns {string} the nickname last used */
  restore() {
    const nick = read(localStorage, NICK_KEY) ?? "";
    const saved = parseSaved(read(sessionStorage, SESSION_KEY));
    if (saved) {
      this.dispatch({ type: "remember", rooms: saved.rooms, current: saved.current });
      this.dispatch({ type: "login", nick: saved.nick, automatic: true });
    }
    return saved?.nick ?? nick;
  }

  /** "Try now". */
  reconnect() {
    if (this.connection.status.kind === "closed") this.connection.open();
    else this.connection.retry();
  }

  /** @param {State} before @param {State} after */
  #followPhase(before, after) {
    if (before.phase === "login" && after.phase === "entering") this.connection.open();
    if (before.phase !== "login" && after.phase === "login") this.connection.close(after.loginError);
  }

  /** @param {State} state */
  #schedule(state) {
    clearTimeout(/** @type {number} */ (this.#timer));
    const now = Date.now();
    const at = nextTick(state, now);
    if (at !== null) this.#timer = setTimeout(() => this.dispatch({ type: "tick" }), Math.max(10, at - now));
  }

  /** @param {State} state */
  #save(state) {
    if (state.phase === "entering") return;
    const rooms = [...state.rooms.values()].filter((room) => room.name !== null);
    const saved = state.phase === "login" ? "" : JSON.stringify({
      nick: state.nick, current: state.current, rooms: rooms.map((room) => ({ name: room.name, with: room.with })),
    });
    if (saved === this.#saved) return;
    this.#saved = saved;
    write(sessionStorage, SESSION_KEY, saved);
    if (saved) write(localStorage, NICK_KEY, state.nick);
  }
}

/**
 * @param {string | null} text
 * @returns {{ nick: string, current: string | null, rooms: { name: string, with: string | null }[] } | null}
 */
export function parseSaved(text) {
  try {
    const { nick, current, rooms } = JSON.parse(text ?? "");
    if (typeof nick !== "string" || !Array.isArray(rooms)) return null;
    return {
      nick, current: typeof current === "string" ? current : null,
      rooms: rooms.filter((room) => typeof room?.name === "string")
        .map((room) => ({ name: room.name, with: typeof room.with === "string" ? room.with : null })),
    };
  } catch {
    return null;
  }
}

/** @param {Storage} storage @param {string} key */
function read(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

/** A browser that keeps nothing is no reason to stop. @param {Storage} storage @param {string} key @param {string} value */
function write(storage, key, value) {
  try {
    storage.setItem(key, value);
  } catch {
    // Full, or forbidden.
  }
}
