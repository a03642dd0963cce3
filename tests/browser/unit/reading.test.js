import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./person.js";

const LOBBY = { room: "lobby", epoch: 7, seq: 10 };
const inLobby = (entered = {}) => new Person().login().enter([{ ...LOBBY, ...entered }]);
const reads = (person) => person.take("read").map(({ room, seq }) => [room, seq]);

test("what the server counts as unread is shown until the end is seen, and then reported", () => {
  const person = inLobby({ read: 4, unread: 6 });
  assert.deepEqual([person.room.unread, person.room.readUpTo, person.room.news], [6, 4, 6]);
  person.seeEnd();
  assert.equal(person.room.unread, 6, "nothing is in view before it is loaded");
  person.history([5, 6, 7, 8, 9, 10].map((seq) => ({ seq, from: "bob", text: `m${seq}` })));
  assert.equal(person.room.unread, 0);
  assert.deepEqual(reads(person), [["lobby", 10]]);
  assert.equal(person.room.readUpTo, 4, "the line stays where reading had ended");
});

test("the server is told at most once a second, and the last word counts", () => {
  const person = inLobby({ read: 10 }).history([{ seq: 10, from: "bob", text: "x" }]).seeEnd();
  assert.deepEqual(reads(person), []);
  for (const seq of [11, 12, 13]) person.message(seq, "bob", "hi");
  assert.deepEqual(reads(person), [["lobby", 11]]);
  person.pass(900);
  assert.deepEqual(reads(person), []);
  person.pass(200);
  assert.deepEqual(reads(person), [["lobby", 13]]);
  person.pass(10_000);
  assert.deepEqual(reads(person), []);
});

test("nothing is read while nobody looks, or while one looks further up", () => {
  const person = inLobby({ read: 10 }).history([{ seq: 10, from: "bob", text: "x" }]).seeEnd().do({ type: "attention", here: false });
  person.message(11, "bob", "hi");
  assert.equal(person.room.unread, 1);
  person.do({ type: "attention", here: true }).do({ type: "end", key: "#lobby", here: false }).message(12, "bob", "ho");
  assert.equal(person.room.unread, 1);
  assert.deepEqual(reads(person), [["lobby", 11]]);
});

test("what is read on another device is read here", () => {
  const person = inLobby({ read: 10 }).do({ type: "attention", here: false });
  for (const seq of [11, 12, 13]) person.message(seq, "bob", "hi alice");
  assert.deepEqual([person.room.unread, person.room.mentioned], [3, true]);
  person.hear({ type: "read", room: "lobby", seq: 12 });
  assert.deepEqual([person.room.unread, person.room.mentioned], [1, true]);
  person.hear({ type: "read", room: "lobby", seq: 13 }).hear({ type: "read", room: "lobby", seq: 11 });
  assert.deepEqual([person.room.unread, person.room.mentioned], [0, false]);
  person.pass(5_000);
  assert.deepEqual(reads(person), [], "it is no news to the server");
});

test("one's own messages are not news, wherever they were written", () => {
  const person = inLobby({ read: 10 }).do({ type: "attention", here: false }).message(11, "alice", "from my phone");
  assert.equal(person.room.unread, 0);
});

test("what was missed is counted once, as it comes", () => {
  const person = inLobby({ read: 10 }).history([{ seq: 10, from: "bob", text: "x" }]).seeEnd();
  person.do({ type: "attention", here: false }).message(11, "bob", "one").lose();
  // The server counts what follows as well.
  person.enter([{ ...LOBBY, seq: 11, read: 10, unread: 3 }]).message(12, "bob", "two").message(13, "bob", "three").message(13, "bob", "three");
  assert.equal(person.room.unread, 3);
});

test("what was read elsewhere while one was away is not news", () => {
  const person = inLobby({ read: 10 }).history([{ seq: 10, from: "bob", text: "x" }]).do({ type: "attention", here: false });
  person.message(11, "bob", "one").lose().enter([{ ...LOBBY, seq: 11, read: 12, unread: 1 }]).message(12, "bob", "two").message(13, "bob", "three");
  assert.equal(person.room.unread, 1);
});

test("what was read without a connection is told when there is one", () => {
  const person = inLobby({ read: 10 }).history([{ seq: 10, from: "bob", text: "x" }]).do({ type: "attention", here: false }).message(11, "bob", "one");
  person.lose().seeEnd().do({ type: "attention", here: true });
  assert.equal(person.room.unread, 0);
  person.enter([{ ...LOBBY, seq: 11, read: 10, unread: 1 }]);
  assert.equal(person.room.unread, 0);
  assert.deepEqual(reads(person), [["lobby", 11]]);
});

test("a message that is withdrawn before it is read is not counted any more", () => {
  const person = inLobby({ read: 10 }).do({ type: "attention", here: false }).message(11, "bob", "one").message(12, "bob", "two");
  person.hear({ type: "deleted", room: "lobby", seq: 13, at: 1, from: "bob", target: 12 }).hear({ type: "deleted", room: "lobby", seq: 13, at: 1, from: "bob", target: 12 });
  assert.equal(person.room.unread, 1);
});

test("who has never read in a room finds no news there", () => {
  const person = inLobby({ unread: 1000, seq: 5000 });
  assert.deepEqual([person.room.unread, person.room.readUpTo], [0, null]);
});
