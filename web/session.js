/**
 * Ties the state to the connection and to the browser's memory. It has no document in it.
 *
 * The nickname and the token are remembered by the browser, so that every tab is another device
 * of the same person; the rooms one is in only by the tab. What is written is on the disk before
 * it is handed to the socket.
 */

import { INITIAL } from "./model.js";
import { nextTick, update } from "./state.js";
import { NOT_YOURS, PERHAPS } from "./outbox.js";
import * as memory from "./memory.js";
import { randomName } from "./tab.js";

/** @import { Connection } from "./connection.js" */
/** @import { Command } from "./protocol.js" */
/** @import { Event } from "./state.js" */
/** @import { State } from "./model.js" */
/** @import { Own } from "./own.js" */
/** @import { Kept, Store } from "./store.js" */
/** @import { Outgoing } from "./outbox.js" */
/** @import { Tab } from "./tab.js" */

/** Of a token, this much marks whose an item is. */
const MARK = 8;

export class Session {
  /** @type {State} */ state = INITIAL;
  /** @type {unknown} */ #timer = null;
  #saved = "";
  /** @type {string | null} */ #token = null;
  /** Commands that wait for the disk, and the connection that they are for. @type {Promise<void> | null} */ #line = null;
  #connections = 0;
  /** @type {readonly Outgoing[]} */ #kept = [];
  #owner = "";
  /** @type {Own} */ #ownKept = new Map();
  #writing = false;

  /**
   * @param {Connection} connection @param {Store} store @param {Tab} tab
   * @param {(state: State) => void} onChange
   */
  constructor(connection, store, tab, onChange) {
    this.connection = connection;
    this.store = store;
    this.tab = tab;
    this.onChange = onChange;
  }

  /** @param {Event} event */
  dispatch(event) {
    const before = this.state;
    const state = update(before, event, Date.now());
    this.state = state;
    if (event.type === "opened") this.#connections += 1;
    this.#hand(state.send, this.#keep(state));
    void this.#keepOwn(state);
    this.#followPhase(before, state);
    this.#schedule(state);
    this.#save(before, state);
    this.onChange(this.state);
    if (!before.welcomed && state.welcomed) void this.adopt();
  }

  /**
   * Comes back after a reload, or as another device of somebody who is known.
   * @param {{ token: string, nick: string } | null} link
   * @returns {Promise<string>} the nickname last used
   */
  async restore(link) {
    this.#token = memory.token.get();
    const saved = link ? null : memory.parseSaved(memory.session.get());
    const nick = saved?.nick ?? (link?.nick || memory.nick.get() || "");
    const client = await this.tab.claim(memory.client.get());
    memory.client.set(client);
    const token = link?.token ?? this.#token;
    const own = await this.store.own(mark(token));
    this.#ownKept = new Map(own.map((marks) => [marks.room, marks]));
    this.dispatch({
      type: "remember",
      memory: { own, token, client, prefix: randomName(), hidden: saved?.hidden ?? false, rooms: saved?.rooms ?? [], current: saved?.current ?? null },
    });
    const kept = await this.store.all();
    this.dispatch({ type: "outbox", items: kept.filter((item) => item.client === client).map((item) => revive(item, mark(token))) });
    const stranger = link !== null && this.#token !== null && this.#token !== link.token;
    if (stranger) this.dispatch({ type: "invited", nick, message: `This link makes you ${nick || "somebody else"} in this browser, where you were ${memory.nick.get() ?? "somebody else"}. To stay who you are, reload the page.` });
    else if (nick && (saved || token)) this.dispatch({ type: "login", nick, automatic: true });
    return nick;
  }

  /** What tabs that are gone have left to be sent becomes ours. */
  async adopt() {
    const tabs = await this.tab.all();
    const others = (await this.store.all()).filter((item) => !tabs.has(item.client));
    if (others.length === 0 || !this.state.welcomed) return;
    const adopted = await this.store.adopt((client) => !tabs.has(client), this.tab.name);
    if (adopted.length > 0) this.dispatch({ type: "outbox", items: adopted.map((item) => revive(item, mark(this.state.token))) });
  }

  /** "Try now", or "Go on here". */
  async reconnect() {
    if (this.state.replaced) {
      const client = await this.tab.renew();
      memory.client.set(client);
      this.dispatch({ type: "client", client });
    }
    if (this.connection.status.kind === "closed") this.connection.open();
    else this.connection.retry();
  }

  /** Another tab has changed who we are. */
  async tokenChanged() {
    const token = memory.token.get();
    if (token === null && this.state.token !== null) this.dispatch({ type: "sign-out" });
    else if (token !== null && !this.state.welcomed) this.dispatch({ type: "token", token, own: await this.store.own(mark(token)) });
  }

  /** Puts on the disk which messages are one's own: what has changed, one write at a time. @param {State} state */
  async #keepOwn({ own, token, welcomed }) {
    if (!welcomed || this.#writing || own === this.#ownKept) return;
    const changed = [...own.values()].filter((marks) => this.#ownKept.get(marks.room) !== marks);
    this.#ownKept = own;
    this.#writing = true;
    await this.store.keepOwn(mark(token), changed);
    this.#writing = false;
    await this.#keepOwn(this.state);
  }

  /** Puts the outbox on the disk. @param {State} state @returns {Promise<void> | null} */
  #keep({ outbox, client, token }) {
    const { items } = outbox;
    const owner = `${client} ${mark(token)}`;
    if (items === this.#kept && owner === this.#owner) return null;
    const before = owner === this.#owner ? new Set(this.#kept) : new Set();
    const here = new Set(items.map((item) => item.id));
    const put = items.filter((item) => item.seq === null && !before.has(item)).map((item) => ({ ...item, client, person: mark(token) }));
    const gone = [...this.#kept.filter((item) => !here.has(item.id)), ...items.filter((item) => item.seq !== null)].map((item) => item.id);
    this.#kept = items;
    this.#owner = owner;
    return put.length + gone.length > 0 ? this.store.write(put, gone) : null;
  }

  /** Commands go in order, and not before what they send is on the disk. @param {readonly Command[]} commands @param {Promise<void> | null} kept */
  #hand(commands, kept) {
    if (commands.length === 0) return;
    if (this.#line === null && kept === null) {
      for (const command of commands) this.connection.send(command);
      return;
    }
    const connection = this.#connections;
    const line = Promise.all([this.#line, kept]).then(() => {
      // What was meant for a connection that is gone is asked for anew.
      if (connection === this.#connections) for (const command of commands) this.connection.send(command);
      if (this.#line === line) this.#line = null;
    });
    this.#line = line;
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

  /** @param {State} before @param {State} state */
  #save(before, state) {
    if (state.welcomed && state.token !== null && state.token !== this.#token) {
      if (this.#token !== null) void this.store.forget(mark(this.#token));
      memory.token.set(this.#token = state.token);
    }
    if (before.token !== null && state.token === null && state.phase === "login") {
      if (memory.token.get() === before.token) memory.token.set("");
      void this.store.forget(mark(before.token));
      this.#token = null;
    }
    if (state.phase === "entering") return;
    const rooms = [...state.rooms.values()].filter((room) => room.name !== null);
    const saved = state.phase === "login" ? "" : JSON.stringify({
      nick: state.nick, current: state.current, hidden: state.hidden, rooms: rooms.map((room) => ({ name: room.name, with: room.with })),
    });
    if (saved === this.#saved) return;
    this.#saved = saved;
    memory.session.set(saved);
    if (saved) memory.nick.set(state.nick);
  }
}

/** @param {string | null} token */
function mark(token) {
  return token?.slice(0, MARK) ?? "";
}

/**
 * An item as it comes from the disk. The same person's ids protect it; for anybody else its
 * author decides.
 * @param {Kept} kept @param {string} person
 * @returns {Outgoing}
 */
export function revive({ client: _, person: writer, ...item }, person) {
  if (item.state === "failed") return item;
  if (writer === person) return { ...item, state: item.state === "queued" ? "queued" : "unsure" };
  return { ...item, state: "failed", reason: item.state === "queued" ? NOT_YOURS : PERHAPS };
}
