/**
 * The connection to the server: the only module that touches the socket.
 *
 * It opens, notices when nothing lives at the other end, and comes back by itself: with a delay
 * that doubles and is partly chance, so that a thousand pages do not come back in one instant, and
 * at once when the device wakes. It obeys a `disconnect`: not before `retry_after_ms`, and not at
 * all where coming back makes no sense. It does not know what the events mean.
 */

import { decode } from "./protocol.js";

/** @import { Command, Disconnect, ServerEvent } from "./protocol.js" */

/** Delays before coming back, in milliseconds. The first is short: most breaks are momentary. */
const DELAY_FIRST = 500;
const DELAY_MAX = 30_000;
/** A connection that lasted this long was a good one; the delays begin anew. */
const STABLE_AFTER = 10_000;
/** Silence after which the other end is asked for a sign of life (a page cannot see WebSocket pings). */
const SILENCE = 30_000;
/** Time that it has to give one, and that opening may take. */
const ANSWER_WITHIN = 20_000;
/** The same when the device just woke or lost its network: the socket is likely to be dead. */
const ANSWER_WITHIN_AFTER_WAKE = 4_000;

/**
 * @typedef {{ kind: "closed", reason: string } | { kind: "connecting" } | { kind: "open" }
 *   | { kind: "waiting", until: number, reason: string }} Status
 *
 * @typedef {object} Handlers
 * @property {() => void} onOpen the socket is open; say hello
 * @property {(event: ServerEvent) => void} onEvent
 * @property {(status: Status) => void} onStatus
 *
 * @typedef {object} Environment what a test replaces
 * @property {(url: string) => WebSocket} socket
 * @property {() => number} now
 * @property {() => number} random
 * @property {(call: () => void, ms: number) => unknown} after
 * @property {(timer: any) => void} cancel
 */

/** @type {Environment} */
const BROWSER = {
  socket: (url) => new WebSocket(url),
  now: () => Date.now(),
  random: () => Math.random(),
  after: (call, ms) => setTimeout(call, ms),
  cancel: (timer) => clearTimeout(timer),
};

/**
 * How long to stay away after `failures` in a row: half of it fixed, half of it chance.
 * @param {number} failures @param {number} random from 0 to 1
 */
export function delay(failures, random) {
  const full = Math.min(DELAY_MAX, DELAY_FIRST * 2 ** Math.min(failures, 16));
  return Math.round(full / 2 + (full / 2) * random);
}

export class Connection {
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Status} */ #status = { kind: "closed", reason: "" };
  #failures = 0;
  #openedAt = 0;
  #notBefore = 0;
  /** @type {Disconnect | null} */ #farewell = null;
  /** @type {unknown} */ #retryTimer = null;
  /** @type {unknown} */ #lifeTimer = null;

  /**
   * @param {string} url @param {Handlers} handlers @param {Environment} [environment]
   */
  constructor(url, handlers, environment = BROWSER) {
    this.url = url;
    this.handlers = handlers;
    this.environment = environment;
  }

  get status() {
    return this.#status;
  }

  /** Connects, and stays connected until `close`. */
  open() {
    if (this.#socket) return;
    this.environment.cancel(this.#retryTimer);
    this.#farewell = null;
    this.#become({ kind: "connecting" });
    const socket = this.environment.socket(this.url);
    this.#socket = socket;
    this.#expect(ANSWER_WITHIN);
    socket.onopen = () => {
      this.#openedAt = this.environment.now();
      this.#listen();
      this.#become({ kind: "open" });
      this.handlers.onOpen();
    };
    socket.onmessage = ({ data }) => {
      this.#listen();
      const event = decode(data);
      if (event?.type === "disconnect") this.#farewell = event;
      if (event) this.handlers.onEvent(event);
    };
    socket.onclose = () => this.#lost();
  }

  /** Ends the connection for good. @param {string} [reason] */
  close(reason = "") {
    this.environment.cancel(this.#retryTimer);
    this.#abandon();
    this.#failures = 0;
    this.#become({ kind: "closed", reason });
  }

  /** @param {Command} command @returns {boolean} whether it could be handed over */
  send(command) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  /** Tries now, unless the server has asked to stay away for longer. */
  retry() {
    if (this.#status.kind === "waiting" && this.environment.now() >= this.#notBefore) this.open();
  }

  /** The device woke up, came back into view, or its network changed: do not trust the socket. */
  wake() {
    if (this.#status.kind === "waiting") this.retry();
    else if (this.#status.kind === "open") this.#probe(ANSWER_WITHIN_AFTER_WAKE);
  }

  /** Something was heard. */
  #listen() {
    this.environment.cancel(this.#lifeTimer);
    this.#lifeTimer = this.environment.after(() => this.#probe(ANSWER_WITHIN), SILENCE);
  }

  /** @param {number} within */
  #probe(within) {
    this.send({ type: "ping" });
    this.#expect(within);
  }

  /** @param {number} within */
  #expect(within) {
    this.environment.cancel(this.#lifeTimer);
    this.#lifeTimer = this.environment.after(() => this.#lost(), within);
  }

  #lost() {
    const { now, random, after } = this.environment;
    const farewell = this.#farewell;
    if (this.#openedAt > 0 && now() - this.#openedAt > STABLE_AFTER) this.#failures = 0;
    this.#openedAt = 0;
    this.#abandon();
    if (farewell && !farewell.reconnect) {
      this.#become({ kind: "closed", reason: farewell.message });
      return;
    }
    const asked = farewell?.retry_after_ms ?? 0;
    this.#notBefore = now() + asked;
    const wait = asked + delay(this.#failures, random());
    this.#failures += 1;
    this.#retryTimer = after(() => this.open(), wait);
    this.#become({ kind: "waiting", until: now() + wait, reason: farewell?.message ?? "" });
  }

  /** Lets go of the socket at once; a dead one would take its time to say that it is closed. */
  #abandon() {
    this.environment.cancel(this.#lifeTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {Status} status */
  #become(status) {
    this.#status = status;
    this.handlers.onStatus(status);
  }
}
