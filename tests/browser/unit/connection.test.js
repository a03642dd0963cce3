import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection, delay } from "../../../web/connection.js";

/** A clock and sockets that a test holds in its hand. */
class World {
  time = 1_000_000;
  timers = new Set();
  sockets = [];
  statuses = [];
  events = [];
  opened = 0;

  constructor() {
    this.connection = new Connection("ws://test/ws", {
      onOpen: () => (this.opened += 1), onEvent: (event) => this.events.push(event), onStatus: (status) => this.statuses.push(status),
    }, {
      socket: () => {
        const socket = { readyState: 0, sent: [], closed: false, send(data) { this.sent.push(JSON.parse(data)); }, close() { this.closed = true; this.readyState = 3; } };
        this.sockets.push(socket);
        return socket;
      },
      now: () => this.time, random: () => 0.5,
      after: (call, ms) => { const timer = { call, at: this.time + ms }; this.timers.add(timer); return timer; },
      cancel: (timer) => this.timers.delete(timer),
    });
  }

  get socket() { return this.sockets.at(-1); }
  accept() { this.socket.readyState = 1; this.socket.onopen(); }
  say(event) { this.socket.onmessage({ data: JSON.stringify(event) }); }
  pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const [next] = [...this.timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.time = next.at;
      this.timers.delete(next);
      next.call();
    }
    this.time = end;
  }
}

test("the delay doubles, has a bound, and half of it is chance", () => {
  assert.equal(delay(0, 0), 250);
  assert.equal(delay(0, 1), 500);
  assert.equal(delay(3, 1), 4_000);
  assert.equal(delay(3, 0), 2_000);
  assert.equal(delay(50, 1), 30_000);
});

test("a lost connection is opened again, later with each failure", () => {
  const world = new World();
  world.connection.open();
  const waits = [];
  for (let i = 0; i < 4; i += 1) {
    world.socket.onclose();
    const status = world.statuses.at(-1);
    assert.equal(status.kind, "waiting");
    waits.push(status.until - world.time);
    world.pass(waits[i]);
    assert.equal(world.sockets.length, i + 2);
  }
  assert.deepEqual(waits, [375, 750, 1500, 3000]);
});

test("a connection that was good for a while begins the delays anew", () => {
  const world = new World();
  world.connection.open();
  world.socket.onclose();
  world.socket?.onclose?.();
  world.pass(60_000);
  world.accept();
  world.say({ type: "pong" });
  world.time += 11_000;
  world.socket.onclose();
  assert.equal(world.statuses.at(-1).until - world.time, 375);
});

test("what the server asks for is obeyed", () => {
  const world = new World();
  world.connection.open();
  world.accept();
  world.say({ type: "disconnect", code: "flooding", message: "slow", reconnect: true, retry_after_ms: 10_000 });
  world.socket.onclose();
  world.connection.wake();
  world.connection.retry();
  world.pass(9_999);
  assert.equal(world.sockets.length, 1);
  world.pass(1_000);
  assert.equal(world.sockets.length, 2);
  world.accept();
  world.say({ type: "disconnect", code: "bye", message: "Bye", reconnect: false });
  world.socket.onclose();
  world.pass(1_000_000);
  assert.equal(world.sockets.length, 2);
  assert.deepEqual(world.statuses.at(-1), { kind: "closed", reason: "Bye" });
});

test("silence is asked for a sign of life, and without one the socket is given up", () => {
  const world = new World();
  world.connection.open();
  world.accept();
  world.pass(29_999);
  assert.deepEqual(world.socket.sent, []);
  world.pass(1);
  assert.deepEqual(world.socket.sent, [{ type: "ping" }]);
  world.say({ type: "pong" });
  world.pass(30_000);
  assert.equal(world.socket.sent.length, 2);
  const dead = world.socket;
  world.pass(20_000);
  assert.ok(dead.closed);
  assert.equal(dead.onmessage, null);
  assert.equal(world.statuses.findLast((status) => status.kind !== "connecting").kind, "waiting");
});

test("a server that does not answer the handshake is given up", () => {
  const world = new World();
  world.connection.open();
  world.pass(20_000);
  assert.ok(world.sockets[0].closed);
});

test("waking up tries at once, and does not trust a socket that slept", () => {
  const world = new World();
  world.connection.open();
  for (let i = 0; i < 8; i += 1) { world.socket.onclose(); world.connection.retry(); }
  world.socket.onclose();
  const count = world.sockets.length;
  world.connection.wake();
  assert.equal(world.sockets.length, count + 1);
  world.accept();
  world.connection.wake();
  assert.deepEqual(world.socket.sent, [{ type: "ping" }]);
  const slept = world.socket;
  world.pass(4_000);
  assert.ok(slept.closed);
});

test("closing is for good", () => {
  const world = new World();
  world.connection.open();
  world.accept();
  world.connection.close("done");
  world.pass(1_000_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.connection.send({ type: "ping" }), false);
});
