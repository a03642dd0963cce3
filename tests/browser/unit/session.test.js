import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Session, revive } from "../../../web/session.js";
import { deviceLink, parseLink } from "../../../web/memory.js";

/** @type {Map<string, string>[]} */
let storages;
const storage = (map) => ({ getItem: (key) => map.get(key) ?? null, setItem: (key, value) => map.set(key, value), removeItem: (key) => map.delete(key) });
beforeEach(() => {
  storages = [new Map(), new Map()];
  Object.assign(globalThis, { localStorage: storage(storages[0]), sessionStorage: storage(storages[1]) });
});

/** A session whose disk answers when the test says so. */
class World {
  sent = [];
  disk = new Map();
  own = new Map();
  writes = [];
  alive = new Set(["mine"]);

  constructor() {
    this.connection = { status: { kind: "closed" }, open: () => {}, close: () => {}, retry: () => {}, send: (command) => this.sent.push(command) };
    const store = {
      all: async () => [...this.disk.values()],
      write: (put, gone) => new Promise((resolve) => this.writes.push(() => {
        for (const item of put) this.disk.set(item.id, item);
        for (const id of gone) this.disk.delete(id);
        resolve();
      })),
      adopt: async (isGone, client) => {
        const adopted = [...this.disk.values()].filter((item) => isGone(item.client)).map((item) => ({ ...item, client }));
        for (const item of adopted) this.disk.set(item.id, item);
        return adopted;
      },
      own: async (person) => this.own.get(person) ?? [],
      keepOwn: async (person, marks) => void this.own.set(person, [...marks]),
      forget: async (person) => void this.own.delete(person),
    };
    this.session = new Session(this.connection, store, { name: "mine", claim: async () => "mine", renew: async () => "other", all: async () => this.alive }, () => {});
  }
  async settle() {
    for (const write of this.writes.splice(0)) write();
    await new Promise((resolve) => setImmediate(resolve));
  }
  async enter(nick = "alice", resumed = true) {
    const { session } = this;
    if (session.state.phase === "login") session.dispatch({ type: "login", nick });
    session.dispatch({ type: "status", status: { kind: "open" } });
    session.dispatch({ type: "opened" });
    await this.settle();
    const { id } = this.sent.findLast((command) => command.type === "hello");
    session.dispatch({ type: "received", event: {
      type: "welcome", id, nick, token: "token-of-alice", resumed, hidden: false, server: "x",
      rooms: [{ room: "lobby", epoch: 7, seq: 10, count: 1, unread: 0 }], limits: session.state.limits,
    } });
    await this.settle();
  }
  write(text) { this.session.dispatch({ type: "intents", intents: [{ kind: "say", text, action: false }] }); }
  texts(type = "send") { return this.sent.filter((command) => command.type === type).map((command) => command.text); }
}

test("what is written is on the disk before it is handed to the socket, and off it once acknowledged", async () => {
  const world = new World();
  await world.session.restore(null);
  await world.enter();
  world.write("one");
  world.write("two");
  assert.deepEqual(world.texts(), []);
  await world.settle();
  assert.deepEqual(world.texts(), ["one", "two"]);
  const [{ id, state, client }] = [...world.disk.values()];
  assert.deepEqual([state, client], ["sent", "mine"]);
  world.session.dispatch({ type: "received", event: { type: "ack", id, room: "lobby", seq: 11 } });
  await world.settle();
  assert.deepEqual([...world.disk.values()].map((item) => item.text), ["two"]);
});

test("what waits for the disk when the connection breaks is not sent to the next one before its hello", async () => {
  const world = new World();
  await world.session.restore(null);
  await world.enter();
  world.write("one");
  world.session.dispatch({ type: "status", status: { kind: "waiting", until: 0, reason: "" } });
  world.session.dispatch({ type: "status", status: { kind: "open" } });
  world.session.dispatch({ type: "opened" });
  await world.settle();
  assert.equal(world.sent.at(-1).type, "hello");
  assert.deepEqual(world.texts(), []);
  await world.enter();
  assert.deepEqual(world.texts(), ["one"]);
});

test("a page that comes back has what was to be sent, and the items of tabs that are gone", async () => {
  const before = new World();
  await before.session.restore(null);
  await before.enter();
  before.session.dispatch({ type: "status", status: { kind: "waiting", until: 0, reason: "" } });
  before.write("offline");
  await before.settle();
  const now = new World();
  for (const item of before.disk.values()) now.disk.set(item.id, item);
  now.disk.set("x-1", { ...[...before.disk.values()][0], id: "x-1", client: "closed", text: "of a closed tab" });
  now.disk.set("y-1", { ...[...before.disk.values()][0], id: "y-1", client: "open", text: "of an open tab" });
  now.alive.add("open");
  await now.session.restore(null);
  assert.equal(now.session.state.phase, "entering");
  await now.enter();
  await now.settle();
  assert.deepEqual(now.texts(), ["offline", "of a closed tab"]);
});

test("an item is only sent by itself for whom it was written", () => {
  const kept = { id: "a-1", state: "sent", reason: "", client: "mine", person: "token-of" };
  assert.deepEqual(revive(kept, "token-of"), { id: "a-1", state: "unsure", reason: "" });
  assert.match(revive(kept, "somebody").reason, /may have arrived/);
  assert.equal(revive({ ...kept, state: "queued" }, "token-of").state, "queued");
  assert.equal(revive({ ...kept, state: "queued" }, "somebody").state, "failed");
});

test("leaving forgets who one was, in every tab", async () => {
  const world = new World();
  await world.session.restore(null);
  await world.enter();
  assert.equal(storages[0].get("crosstalk.token"), "token-of-alice");
  storages[0].delete("crosstalk.token");
  world.session.tokenChanged();
  assert.equal(world.sent.at(-1).type, "quit");
  world.session.dispatch({ type: "received", event: { type: "disconnect", code: "bye", message: "Bye", reconnect: false } });
  assert.equal(storages[0].get("crosstalk.token"), undefined);
  assert.equal(storages[1].get("crosstalk.session"), undefined);
  assert.equal(storages[0].get("crosstalk.nick"), "alice");
});

test("a link makes another device one's own, and asks where somebody else is already", async () => {
  const link = parseLink(new URL(deviceLink("http://chat.example/x?y#z", "t-1_2", "Zoë")).hash);
  assert.deepEqual(link, { token: "t-1_2", nick: "Zoë" });
  assert.equal(parseLink(""), null);
  assert.equal(parseLink("#nick=x"), null);
  assert.equal(parseLink(`#token=${"x".repeat(201)}`), null);
  const fresh = new World();
  await fresh.session.restore(link);
  assert.deepEqual([fresh.session.state.phase, fresh.session.state.token], ["entering", "t-1_2"]);
  storages[0].set("crosstalk.token", "another");
  storages[0].set("crosstalk.nick", "bob");
  const known = new World();
  await known.session.restore(link);
  assert.equal(known.session.state.phase, "login");
  assert.match(known.session.state.loginError, /makes you Zoë .* where you were bob/);
  assert.equal(storages[0].get("crosstalk.token"), "another");
});

test("which messages are one's own is kept for a reload, and forgotten with the person", async () => {
  const world = new World();
  await world.session.restore(null);
  await world.enter("alice", false);
  world.session.dispatch({ type: "received", event: { type: "message", room: "lobby", seq: 11, at: 1, from: "alice", text: "x", action: false } });
  await world.settle();
  const [person, [marks]] = [...world.own][0];
  assert.deepEqual([person, marks.room, marks.since, marks.own], ["token-of", "lobby", 10, [11]]);
  const later = new World();
  later.own = world.own;
  await later.session.restore(null);
  assert.deepEqual(later.session.state.own.get("lobby"), marks);
  await later.enter();
  later.session.dispatch({ type: "received", event: { type: "disconnect", code: "bye", message: "Bye", reconnect: false } });
  await later.settle();
  assert.equal(later.own.size, 0);
});
