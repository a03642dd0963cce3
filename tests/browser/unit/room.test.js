import assert from "node:assert/strict";
import { test } from "node:test";
import * as roll from "../../../web/roll.js";
import * as room from "../../../web/room.js";
import * as rows from "../../../web/rows.js";
import { connectionWords, linked, presenceWords, time } from "../../../web/format.js";
import { parseSaved } from "../../../web/memory.js";
import { INITIAL } from "../../../web/model.js";

const dev = () => room.enter(room.emptyRoom("#dev", "dev", null), { room: "dev", epoch: 1, seq: 0, count: 3 });
const message = (seq, text = `m${seq}`) => ({ room: "dev", seq, at: seq, from: "bob", text, action: false });
const add = (state, ...seqs) => seqs.reduce((next, seq) => rows.addMessage(next, message(seq), false), state);
const seqs = (state) => state.rows.filter((row) => row.kind === "message").map((row) => row.seq);

test("messages stand in the order of their numbers, each once", () => {
  assert.deepEqual(seqs(add(dev(), 5, 6, 6, 2, 9, 2, 3)), [2, 3, 5, 6, 9]);
});

test("a notice stays behind the message that it followed", () => {
  let state = rows.addNotice(add(dev(), 5), "notice", 0);
  state = add(state, 2, 7);
  assert.deepEqual(state.rows.map((row) => row.kind), ["message", "message", "notice", "message"]);
  assert.equal(rows.messageAt(state, 4), null);
  assert.equal(rows.messageAt(state, 5).seq, 5);
});

test("a message changes its words, and goes for good", () => {
  const change = (seq, target, text) => ({ type: "edited", room: "dev", seq, at: 1, from: "bob", target, text });
  const gone = (seq, target) => ({ type: "deleted", room: "dev", seq, at: 1, from: "bob", target });
  let state = add(dev(), 5, 6);
  state = rows.editMessage(rows.editMessage(state, change(8, 5, "second")), change(7, 5, "first"));
  assert.equal(rows.messageAt(state, 5).text, "second", "an older change that is told again changes nothing");
  assert.equal(rows.messageAt(state, 5).edited, true);
  assert.equal(rows.editMessage(state, change(9, 4, "x")), state, "what is not there is ignored");
  state = rows.deleteMessage(state, gone(9, 6));
  assert.equal(rows.deleteMessage(state, gone(9, 6)), state);
  assert.deepEqual(state.rows.map((row) => row.kind), ["message", "withdrawn"]);
  assert.doesNotMatch(JSON.stringify(state.rows), /m6/);
  assert.equal(add(state, 6), state, "it does not come back");
});

test("the timeline has a bound, and what was dropped can be asked for", () => {
  let state = { ...dev(), history: "all" };
  for (let seq = 1; seq <= rows.ROWS_MAX + 50; seq += 1) state = add(state, seq);
  assert.ok(state.rows.length <= rows.ROWS_MAX);
  assert.equal(state.history, "more");
  assert.ok(rows.bounded(state, rows.ROWS_AT_END).rows.length <= rows.ROWS_AT_END);
  assert.equal(seqs(state).at(-1), rows.ROWS_MAX + 50);
});

test("the list of members is kept up to date", () => {
  let state = roll.addMembers(dev(), { type: "members", members: ["alice", "bob", "Zoe"], count: 3, more: false }, false);
  state = roll.addPresence(state, presence({ joined: ["carol"], left: ["BOB"], count: 3 }), "alice", 0);
  assert.deepEqual(state.members, ["alice", "carol", "Zoe"]);
  assert.equal(state.roll, "all");
  state = roll.rename(state, "carol", "aaron", 0);
  assert.deepEqual(state.members, ["aaron", "alice", "Zoe"]);
  state = roll.addPresence(state, { ...presence({ joined: ["d", "e"], count: 40 }), joined_count: 37 }, "alice", 0);
  assert.equal(state.roll, "stale");
});

test("of a long list the first page is kept, and the rest is counted", () => {
  let state = roll.addMembers(dev(), { type: "members", members: ["a", "m"], count: 5000, more: true }, false);
  state = roll.addPresence(state, presence({ joined: ["c", "x"], count: 5002 }), "z", 0);
  assert.deepEqual(state.members, ["a", "c", "m"]);
  assert.equal(state.count, 5002);
  assert.equal(state.roll, "some");
});

test("who comes and goes is one line; a crowd is counted", () => {
  let state = roll.addPresence(dev(), presence({ joined: ["bob", "me"], count: 4 }), "me", 0);
  state = roll.addPresence(state, presence({ left: ["carol"], count: 3 }), "me", 10);
  assert.equal(state.rows.length, 1);
  assert.equal(presenceWords(state.rows[0], true), "bob came online, carol went offline.");
  state = roll.addPresence(dev(), { ...presence({ joined: ["a", "b"], count: 5000 }), joined_count: 37 }, "me", 0);
  assert.equal(presenceWords(state.rows[0], true).replaceAll(/[^\w ,.]/g, ""), "37 people came online, 5,000 here.");
  assert.equal(roll.addPresence(dev(), presence({ joined: ["me"], count: 4 }), "me", 0).rows.length, 0);
});

test("only http and https become links, without the punctuation round them", () => {
  const links = (text) => linked(text).filter((part) => part.href !== null).map((part) => part.text);
  assert.deepEqual(links("see (https://a.example/b_(c)), or http://d.example."), ["https://a.example/b_(c)", "http://d.example"]);
  assert.deepEqual(links("javascript:alert(1) data:text/html,x https:// ftp://x vbscript:x"), []);
  assert.deepEqual(links("xhttps://a.example"), []);
  for (const text of ["a https://b.example/?q=1, c", "<https://x.example>", "https://)))", ""]) {
    assert.equal(linked(text).map((part) => part.text).join(""), text);
  }
});

test("the connection is told in words", () => {
  const words = (change) => connectionWords({ ...INITIAL, ...change }, 1_000);
  assert.equal(words({ status: { kind: "open" }, welcomed: true }), "Connected");
  assert.equal(words({ status: { kind: "waiting", until: 4_500, reason: "" }, returning: true }), "Connection lost. Next try in 4\u00a0s.");
  assert.equal(words({ status: { kind: "waiting", until: 4_500, reason: "" } }), "The server cannot be reached. Next try in 4\u00a0s.");
});

test("times that no clock shows, and memories that nobody wrote, break nothing", () => {
  assert.equal(typeof time(Number.MAX_SAFE_INTEGER), "string");
  for (const text of [null, "", "{", "null", "[]", '{"nick":1}', '{"nick":"a","rooms":{}}']) assert.equal(parseSaved(text), null);
  assert.deepEqual(parseSaved('{"nick":"a","rooms":[null,{"name":1},{"name":"dev","with":3}],"current":4}'), { nick: "a", current: null, hidden: false, rooms: [{ name: "dev", with: null }] });
});

function presence({ joined = [], left = [], count }) {
  return { type: "presence", room: "dev", joined, joined_count: joined.length, left, left_count: left.length, count };
}
