import assert from "node:assert/strict";
import { test } from "node:test";
import { byteLength, decode, fold } from "../../../web/protocol.js";
import { INITIAL } from "../../../web/model.js";
import { update } from "../../../web/state.js";

const SAMPLES = [
  { type: "welcome", id: "r1", nick: "alice", token: "t1", resumed: true, hidden: false, server: "x", rooms: [{ room: "lobby", epoch: 7, seq: 4, count: 2, read: 2, unread: 1 }], limits: { text: 9, frame: 9, rate: null, burst: null, rooms: 3 } },
  { type: "message", room: "lobby", seq: 5, at: 1, from: "bob", to: "alice", text: "hi", action: true },
  { type: "message", room: "lobby", seq: 7, at: 1, from: "alice", text: "yes", edited: true, reply: { seq: 5, from: "bob" } },
  { type: "edited", room: "lobby", seq: 8, at: 1, from: "bob", target: 5, text: "hello" },
  { type: "deleted", room: "lobby", seq: 9, at: 1, from: "bob", target: 5 },
  { type: "read", room: "lobby", seq: 9 },
  { type: "found", id: "r9", room: "lobby", epoch: 7, messages: [{ room: "lobby", seq: 1, at: 1, from: "bob", text: "old" }], more: false },
  { type: "presence", room: "lobby", joined: ["carol"], joined_count: 1, left: [], left_count: 0, count: 3 },
  { type: "renamed", room: "lobby", from: "bob", to: "rob" },
  { type: "gap", room: "lobby", epoch: 7, after: 1, before: 4 },
  { type: "ack", id: "m1", room: "lobby", seq: 6 },
  { type: "joined", id: "r2", room: "dev", epoch: 7, seq: 0, count: 1, created: true, with: "bob" },
  { type: "left", room: "dev" },
  { type: "rooms", rooms: [{ room: "dev", count: 1, member: true }], more: true },
  { type: "members", room: "dev", members: ["alice"], count: 1, more: false },
  { type: "nick", nick: "alicia" },
  { type: "hidden", hidden: true },
  { type: "history", room: "lobby", epoch: 7, messages: [{ room: "lobby", seq: 1, at: 1, from: "bob", text: "old" }], more: true },
  { type: "pong" },
  { type: "error", id: "m1", code: "rate-limited", message: "slow down", retry_after_ms: 12.5 },
  { type: "disconnect", code: "shutdown", message: "bye", reconnect: true, retry_after_ms: 1000 },
];
const HOSTILE = [null, undefined, true, -1, 1.5, 1e300, "", "x", [], [null], {}, { type: "x" }, [[["x"]]], "__proto__", "constructor"];

test("every event is read", () => {
  for (const sample of SAMPLES) assert.equal(decode(JSON.stringify(sample))?.type, sample.type);
  assert.equal(decode(JSON.stringify(SAMPLES[0])).limits.rate, null);
  assert.equal(decode(JSON.stringify(SAMPLES.find((sample) => sample.type === "error"))).retry_after_ms, 13);
});

test("what is no event is nothing", () => {
  for (const data of ["", "{", "[]", "null", "1", '"x"', "{}", '{"type":1}', '{"type":"__proto__"}', '{"type":"toString"}', '{"type":"future"}', "[".repeat(100_000), new ArrayBuffer(8), undefined]) {
    assert.equal(decode(data), null);
  }
});

test("no frame, however wrong, breaks the page", () => {
  let state = update({ ...INITIAL, phase: "entering", nick: "alice" }, { type: "opened" }, 1);
  state = receive(state, SAMPLES[0]);
  assert.equal(state.phase, "chat");
  for (const sample of SAMPLES) {
    for (const field of Object.keys(sample)) {
      for (const value of HOSTILE) {
        const frame = { ...sample, [field]: value };
        state = receive(state, frame);
        if (Array.isArray(sample[field])) state = receive(state, { ...sample, [field]: [value, value] });
      }
      const { [field]: _, ...without } = sample;
      state = receive(state, without);
    }
  }
});

test("names that are properties of objects are only names", () => {
  let state = update({ ...INITIAL, phase: "entering", nick: "alice" }, { type: "opened" }, 1);
  state = receive(state, { ...SAMPLES[0], rooms: ["__proto__", "constructor", "lobby"].map((room) => ({ room, epoch: 1, seq: 0, count: 1 })) });
  state = receive(state, { type: "message", room: "__proto__", seq: 1, at: 1, from: "constructor", text: "x" });
  assert.equal(state.rooms.get("#__proto__").rows.length, 1);
  assert.equal({}.rows, undefined);
});

test("names are compared without regard to case, texts are counted in bytes", () => {
  assert.equal(fold("Zoë"), fold("ZOE\u0308"));
  assert.equal(byteLength("é€😀"), 9);
});

function receive(state, frame) {
  const event = decode(JSON.stringify(frame));
  return event === null ? state : update(state, { type: "received", event }, 1000);
}
