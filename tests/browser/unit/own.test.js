import assert from "node:assert/strict";
import { test } from "node:test";
import { began, claimed, disclaimed, isNew, isOwn, merged } from "../../../web/own.js";
import { MEMORY, Person } from "./person.js";

const LOBBY = { room: "lobby", epoch: 7, seq: 10 };
const said = (seq, from) => ({ room: "lobby", seq, at: 1, from, text: "x", action: false });
const mine = (person) => person.room.rows.filter((row) => row.kind === "message" && row.mine).map((row) => row.seq);

test("without anything known the nickname decides", () => {
  assert.equal(isOwn(new Map(), 7, said(3, "ALICE"), "alice"), true);
  assert.equal(isOwn(new Map(), 7, said(3, "bob"), "alice"), false);
});

test("what is known goes before the nickname, in its own life of the log only", () => {
  const known = disclaimed(claimed(began(new Map(), LOBBY), "Lobby", 7, [12, 13]), "lobby", 7, 14);
  const own = (seq, from, epoch = 7) => isOwn(known, epoch, said(seq, from), "alice");
  assert.deepEqual([own(12, "old-name"), own(13, "alice"), own(14, "alice"), own(15, "alice")], [true, true, false, true]);
  assert.equal(own(9, "alice"), false, "from before one came into being");
  assert.equal(own(12, "old-name", 8), false);
});

test("a room is new to somebody who came into being here, and of anybody else nobody knows", () => {
  const dev = { ...LOBBY, room: "dev" };
  assert.equal(isNew(new Map(), dev), false);
  const known = began(new Map(), LOBBY);
  assert.deepEqual([isNew(known, dev), isNew(known, LOBBY)], [true, false]);
});

test("two tabs know together what each of them knows", () => {
  const marks = { room: "lobby", epoch: 7, since: null, own: [], others: [] };
  const both = merged({ ...marks, since: 2, own: [3, 5] }, { ...marks, own: [4], others: [5] });
  assert.deepEqual(both, { ...marks, since: 2, own: [3, 4], others: [5] });
  assert.deepEqual(merged({ ...marks, epoch: 6, own: [3] }, marks), marks);
});

test("under another nickname one's own messages stay one's own, here and after a reload", () => {
  const person = new Person().login().enter([LOBBY]).write("by ack");
  const [{ id }] = person.take("send");
  person.message(11, "alice", "with another device").hear({ type: "nick", nick: "alicia" });
  // It was on its way when the name changed.
  person.message(12, "alice", "by ack").hear({ type: "ack", id, room: "lobby", seq: 12 }).message(13, "alice", "somebody else");
  assert.deepEqual(mine(person), [11, 12]);
  const later = new Person().do({ type: "remember", memory: { ...MEMORY, token: "t1", own: [...person.state.own.values()] } });
  later.do({ type: "login", nick: "alicia" }).enter([{ ...LOBBY, seq: 13 }]);
  later.history([said(11, "alice"), said(12, "alice"), said(13, "alice")]);
  assert.deepEqual(mine(later), [11, 12]);
  later.do({ type: "edit-last" });
  assert.equal(later.room.mode.seq, 12);
});

test("what another person wrote under one's nickname before is not one's own", () => {
  const person = new Person().login("bob").enter([LOBBY]).history([said(9, "bob"), said(10, "alice")]);
  person.message(11, "bob", "really bob");
  assert.deepEqual(mine(person), [11]);
  person.hear({ type: "joined", room: "dev", epoch: 7, seq: 5, count: 2 }).do({ type: "show", key: "#dev" });
  person.history([{ ...said(5, "bob"), room: "dev" }]);
  assert.deepEqual(mine(person), []);
});

test("what the server says is another's is that from then on", () => {
  const person = new Person().do({ type: "remember", memory: { ...MEMORY, token: "t1" } });
  person.do({ type: "login", nick: "alice" }).enter([LOBBY]).history([said(9, "alice")]);
  person.do({ type: "change", key: "#lobby", seq: 9, text: "mine?" });
  const [{ id }] = person.take("edit");
  person.hear({ type: "error", id, code: "not-your-message", message: "Only alice can change that message." });
  assert.deepEqual(person.outbox, ["mine?:failed"]);
  assert.deepEqual(mine(person), []);
});

test("to a server that takes one for somebody new, what the former self wrote is another's", () => {
  const person = new Person().login().enter([LOBBY]).message(11, "alice", "before").lose();
  person.enter([{ ...LOBBY, seq: 11 }], { resumed: false, token: "t2" });
  assert.equal(isOwn(person.state.own, 7, said(11, "alice"), "alice"), false);
});
