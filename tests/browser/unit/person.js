/** A page without a page: the state, a clock, and what it asks to be sent. */

import { currentRoom, INITIAL } from "../../../web/model.js";
import { nextTick, update } from "../../../web/state.js";
import { understand } from "../../../web/commands.js";

export const MEMORY = { token: null, client: "tab", prefix: "", hidden: false, rooms: [], current: null, own: [] };

export class Person {
  now = 1_000_000;
  state = INITIAL;
  sent = [];

  do(event) {
    this.state = update(this.state, event, this.now);
    this.sent.push(...this.state.send);
    return this;
  }
  hear(event) { return this.do({ type: "received", event }); }
  write(text) { return this.do({ type: "intents", intents: understand([text]) }); }
  /** Lets time pass, as the session's timer does. */
  pass(ms) {
    const end = this.now + ms;
    for (let at = nextTick(this.state, this.now); at !== null && at <= end; at = nextTick(this.state, this.now)) {
      this.now = Math.max(this.now + 1, at);
      this.do({ type: "tick" });
    }
    this.now = Math.max(this.now, end);
    return this;
  }
  /** What was asked for since last time. */
  take(type) {
    const found = this.sent.filter((command) => type === undefined || command.type === type);
    this.sent = this.sent.filter((command) => !found.includes(command));
    return found;
  }
  open() { return this.do({ type: "status", status: { kind: "open" } }).do({ type: "opened" }); }
  lose() { return this.do({ type: "status", status: { kind: "waiting", until: this.now + 1000, reason: "" } }); }
  /** Says hello and is let in, to rooms `{ room, epoch, seq }`. */
  enter(rooms = [{ room: "lobby", epoch: 7, seq: 10 }], { resumed, ...more } = {}, limits = { text: 4096, frame: 32768, rate: null, burst: null, rooms: 100 }) {
    const [hello] = this.open().take("hello");
    return this.hear({
      type: "welcome", id: hello.id, nick: this.state.nick, token: "t1", resumed: resumed ?? hello.token === "t1", hidden: hello.hidden === true, server: "x",
      rooms: rooms.map((room) => ({ count: 1, unread: 0, ...room })), limits, ...more,
    });
  }
  login(nick = "alice") { return this.do({ type: "remember", memory: { ...MEMORY, prefix: "p" } }).do({ type: "login", nick }); }
  /** The end of the room that one looks at is in view, as the timeline says. */
  seeEnd() { return this.do({ type: "end", key: this.state.current, here: true }); }
  /** Answers what is asked of history. */
  history(messages = [], more = false, epoch = 7) {
    for (const { id, room = "@1" } of this.take("history")) {
      this.hear({ type: "history", id, room, epoch, messages: messages.map((m) => ({ at: 1, room, action: false, ...m })), more });
    }
    return this;
  }
  message(seq, from, text, more = {}) {
    return this.hear({ type: "message", room: "lobby", seq, at: this.now, from, text, action: false, ...more });
  }
  get room() { return currentRoom(this.state); }
  get texts() { return this.room.rows.filter((row) => row.kind === "message").map((row) => row.text); }
  get outbox() { return this.state.outbox.items.map((item) => `${item.text}:${item.state}`); }
}
