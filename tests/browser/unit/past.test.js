import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./person.js";

const said = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => ({ room: "lobby", seq: from + i, at: 1, from: "bob", text: `m${from + i}`, action: false }));
const alice = () => new Person().login().enter([{ room: "lobby", epoch: 7, seq: 1000 }]).history(said(951, 1000), true);
const answer = (person, { id }, messages, more) => person.hear({ type: "history", id, room: "lobby", epoch: 7, messages, more });
const seqs = (room) => room.rows.map((row) => row.seq);

test("a message that is there is gone to, and nothing is asked for", () => {
  const person = alice().do({ type: "go", key: "#lobby", seq: 960 });
  assert.deepEqual(person.take("history"), []);
  assert.deepEqual([person.state.jump.seq, person.room.past], [960, null]);
});

test("for another, the log round it is looked at, and the present goes on behind it", () => {
  const person = alice().do({ type: "go", key: "#lobby", seq: 500 });
  const [before, after] = person.take("history");
  assert.deepEqual([before.before, before.limit, after.after, after.limit], [501, 25, 500, 25]);
  answer(answer(person, before, said(476, 500), true) && person, after, said(501, 525), true);
  assert.deepEqual([seqs(person.room.past).at(0), seqs(person.room.past).at(-1), person.room.past.rows.length], [476, 525, 50]);
  person.message(1001, "bob", "now").hear({ type: "edited", room: "lobby", seq: 1002, at: 1, from: "bob", target: 500, text: "other words" });
  assert.equal(person.room.past.rows.find((row) => row.seq === 500).text, "other words");
  assert.equal(person.room.unread, 1, "the end is not in view");
  person.do({ type: "present" });
  assert.equal(person.room.past, null);
  assert.equal(person.texts.at(-1), "now");
});

test("the past is read on in both directions until it meets the present", () => {
  const person = alice().do({ type: "go", key: "#lobby", seq: 900 });
  const [before, after] = person.take("history");
  answer(person, before, said(876, 900), true);
  answer(person, after, said(901, 925), true);
  person.do({ type: "older" });
  const [further] = person.take("history");
  assert.equal(further.before, 876);
  answer(person, further, said(826, 875), false);
  person.do({ type: "newer" });
  const [later] = person.take("history");
  assert.equal(later.after, 925);
  answer(person, later, said(926, 975), true);
  assert.equal(person.room.past, null);
  assert.deepEqual(seqs(person.room), said(826, 1000).map(({ seq }) => seq));
  assert.equal(person.room.history, "all");
});

test("what was asked for one place does not come up in another", () => {
  const person = alice().do({ type: "go", key: "#lobby", seq: 500 });
  const [before, after] = person.take("history");
  person.do({ type: "go", key: "#lobby", seq: 100 });
  const [before2, after2] = person.take("history");
  answer(person, before, said(476, 500), true);
  answer(person, after, said(501, 525), true);
  answer(person, before2, said(76, 100), true);
  answer(person, after2, said(101, 125), true);
  assert.deepEqual([seqs(person.room.past).at(0), seqs(person.room.past).at(-1)], [76, 125]);
});

test("a lost connection leaves what is there, and nothing that waits for ever", () => {
  const person = alice().do({ type: "go", key: "#lobby", seq: 500 }).lose();
  assert.equal(person.room.past, null);
  person.take();
  person.enter([{ room: "lobby", epoch: 7, seq: 1000 }]).do({ type: "go", key: "#lobby", seq: 500 });
  const [before, after] = person.take("history");
  answer(person, before, said(476, 500), true);
  answer(person, after, said(501, 525), true);
  person.do({ type: "newer" }).lose();
  assert.equal(person.room.past.ahead, "more");
  person.write("/help").do({ type: "go", key: "#lobby", seq: 10 });
  assert.match(person.room.rows.at(-1).text, /no connection/);
});

test("who writes is back at the newest messages", () => {
  const person = alice().do({ type: "go", key: "#lobby", seq: 500 });
  for (const command of person.take("history")) answer(person, command, said(490, 510), true);
  person.write("hello");
  assert.equal(person.room.past, null);
});

test("hits come newest first, and older ones on demand", () => {
  const person = alice().do({ type: "search", words: " cat " });
  const [first] = person.take("search");
  assert.deepEqual([first.words, first.room], ["cat", "lobby"]);
  const found = (id, messages, more) => person.hear({ type: "found", id, room: "lobby", epoch: 7, messages, more });
  found(first.id, said(40, 41), true);
  assert.deepEqual(person.state.search.rows.map((row) => row.seq), [41, 40]);
  person.do({ type: "search-further" });
  const [further] = person.take("search");
  assert.equal(further.before, 40);
  found(further.id, said(12, 13), false);
  assert.deepEqual(person.state.search.rows.map((row) => row.seq), [41, 40, 13, 12]);
  person.do({ type: "search-further" });
  assert.deepEqual(person.take("search"), []);
});

test("an answer to other words than the last is not shown", () => {
  const person = alice().do({ type: "search", words: "cat" }).do({ type: "search", words: "dog" });
  const [cat, dog] = person.take("search");
  person.hear({ type: "found", id: dog.id, room: "lobby", epoch: 7, messages: said(5, 5), more: false });
  person.hear({ type: "found", id: cat.id, room: "lobby", epoch: 7, messages: said(9, 9), more: false });
  assert.deepEqual(person.state.search.rows.map((row) => row.seq), [5]);
});

test("what cannot be looked for says why, in the dialog", () => {
  const person = alice().do({ type: "search", words: "x".repeat(513) });
  assert.match(person.state.formError.message, /512 bytes/);
  person.do({ type: "search", words: '"' });
  const [command] = person.take("search");
  person.hear({ type: "error", id: command.id, code: "bad-request", message: "No words." });
  assert.deepEqual(person.state.formError, { dialog: "search", message: "No words." });
  person.do({ type: "search", words: "cat" }).lose().do({ type: "search", words: "dog" });
  assert.match(person.state.formError.message, /no connection/);
});
