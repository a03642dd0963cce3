import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./person.js";

const alice = () => new Person().login().enter().history();

test("who comes in sees the newest messages and the members of the room", () => {
  const person = new Person().login();
  assert.equal(person.state.phase, "entering");
  person.open();
  assert.deepEqual(person.take("hello"), [{ type: "hello", nick: "alice", id: "r1" }]);
  person.hear({ type: "welcome", id: "r1", nick: "alice", server: "x", rooms: [{ room: "lobby", epoch: 7, seq: 2, count: 2 }], limits: person.state.limits });
  assert.equal(person.take("history")[0].limit, 50);
  assert.equal(person.take("members")[0].room, "lobby");
});

test("a nickname that is taken is asked for again", () => {
  const person = new Person().login("bob").open();
  const [{ id }] = person.take("hello");
  person.hear({ type: "error", id, code: "nick-taken", message: "Somebody has that name." });
  assert.equal(person.state.phase, "login");
  assert.equal(person.state.loginError, "Somebody has that name.");
});

test("after a reload one's own dying connection may hold the name for a while", () => {
  const person = new Person().do({ type: "login", nick: "alice", automatic: true }).open();
  let hellos = 0;
  while (person.state.phase === "entering") {
    const [hello] = person.take("hello");
    hellos += 1;
    person.hear({ type: "error", id: hello.id, code: "nick-taken", message: "taken" }).pass(1_500);
  }
  assert.equal(person.state.phase, "login");
  assert.equal(hellos, 9);
});

test("a message is pending until it is in the log, and then there once", () => {
  for (const ackFirst of [true, false]) {
    const person = alice().write("hi");
    assert.deepEqual(person.outbox, ["hi:sent"]);
    const [{ id, ...command }] = person.take("send");
    assert.deepEqual(command, { type: "send", room: "lobby", text: "hi" });
    const ack = () => person.hear({ type: "ack", id, room: "lobby", seq: 11 });
    const message = () => person.message(11, "alice", "hi");
    if (ackFirst) ack();
    message();
    if (!ackFirst) ack();
    assert.deepEqual(person.outbox, []);
    assert.deepEqual(person.texts, ["hi"]);
  }
});

test("two messages with the same words are two messages", () => {
  const person = alice().write("ok").write("ok");
  const [first, second] = person.take("send");
  person.message(11, "alice", "ok");
  assert.deepEqual(person.outbox, ["ok:sent"]);
  person.hear({ type: "ack", id: first.id, room: "lobby", seq: 11 }).hear({ type: "ack", id: second.id, room: "lobby", seq: 12 });
  person.message(12, "alice", "ok");
  assert.deepEqual(person.outbox, []);
  assert.deepEqual(person.texts, ["ok", "ok"]);
});

test("coming back names the positions, and what comes twice is shown once", () => {
  const person = alice().message(11, "bob", "one").lose().open();
  const [hello] = person.take("hello");
  assert.deepEqual(hello.rooms, [{ room: "lobby", position: { epoch: 7, seq: 11 } }]);
  person.hear({ type: "welcome", id: hello.id, nick: "alice", server: "x", rooms: [{ room: "lobby", epoch: 7, seq: 11, count: 2 }], limits: person.state.limits });
  person.message(11, "bob", "one").message(12, "bob", "two");
  assert.deepEqual(person.texts, ["one", "two"]);
});

test("what was written without a connection is sent after it is back, in order", () => {
  const person = alice().lose().write("one").write("two");
  assert.deepEqual(person.outbox, ["one:queued", "two:queued"]);
  assert.deepEqual(person.take("send"), []);
  person.enter();
  assert.deepEqual(person.take("send").map((command) => command.text), ["one", "two"]);
});

test("a message that was on its way is sent again only if the log does not have it", () => {
  for (const arrived of [true, false]) {
    const person = alice().write("on its way");
    person.take();
    person.lose().write("later");
    assert.deepEqual(person.outbox, ["on its way:unsure", "later:queued"]);
    person.enter();
    assert.deepEqual(person.take("send"), [], "the order would be lost");
    const [lookup] = person.take("history");
    assert.equal(lookup.after, 10);
    const messages = arrived ? [{ room: "lobby", seq: 11, at: 1, from: "alice", text: "on its way", action: false }] : [];
    person.hear({ type: "history", id: lookup.id, room: "lobby", epoch: 7, messages, more: false });
    assert.deepEqual(person.take("send").map((command) => command.text), arrived ? ["later"] : ["on its way", "later"]);
    assert.deepEqual(person.texts, arrived ? ["on its way"] : []);
  }
});

test("the same words said earlier are not taken for the message that was on its way", () => {
  const person = alice().message(11, "alice", "ok").write("ok");
  person.take();
  person.lose().enter([{ room: "lobby", epoch: 7, seq: 11 }]);
  const [lookup] = person.take("history");
  assert.equal(lookup.after, 11);
  person.hear({ type: "history", id: lookup.id, room: "lobby", epoch: 7, messages: [], more: false });
  assert.equal(person.take("send").length, 1);
});

test("the same words in an older page of history do not settle a message that is on its way", () => {
  const person = new Person().login().enter();
  person.history([{ seq: 9, from: "alice", text: "newer" }], true).write("ok");
  person.do({ type: "older" }).history([{ seq: 3, from: "alice", text: "ok" }]);
  assert.deepEqual(person.outbox, ["ok:sent"]);
  assert.deepEqual(person.texts, ["ok", "newer"]);
});

test("a room that was given up and made again counts from the beginning", () => {
  const person = alice().message(11, "bob", "old");
  person.hear({ type: "joined", room: "lobby", epoch: 7, seq: 11, count: 1, created: true }).message(12, "bob", "new");
  person.hear({ type: "joined", room: "lobby", epoch: 7, seq: 0, count: 1, created: false }).message(11, "bob", "newer");
  assert.deepEqual(person.texts, ["old", "new", "newer"]);
  assert.equal(person.room.life, 2);
});

test("who is out of sight stays so after coming back", () => {
  const person = alice().write("/hide");
  const [{ id }] = person.take("hide");
  person.hear({ type: "hidden", id, hidden: true }).lose().enter();
  assert.equal(person.take("hide").length, 1);
});

test("when the server's log is a new one, what was on its way is sent again", () => {
  const person = alice().write("on its way");
  person.take();
  person.lose().enter([{ room: "lobby", epoch: 8, seq: 0 }]);
  assert.deepEqual(person.take("send").map((command) => command.text), ["on its way"]);
  person.message(1, "alice", "on its way").message(2, "bob", "after");
  assert.deepEqual(person.texts, ["on its way", "after"]);
});

test("numbers of a new log do not mix with those of the old one", () => {
  const person = alice().message(11, "bob", "old").lose().enter([{ room: "lobby", epoch: 8, seq: 0 }]);
  person.hear({ type: "gap", room: "lobby", epoch: 8, after: 0, before: 1 }).message(1, "bob", "new").message(11, "bob", "newer");
  assert.deepEqual(person.texts, ["old", "new", "newer"]);
  assert.match(person.room.rows.find((row) => row.kind === "notice").text, /begins anew/);
});

test("a refused message goes again after the pause, one by one and in order", () => {
  const person = alice().write("one").write("two");
  const [one, two] = person.take("send");
  person.hear({ type: "error", id: one.id, code: "rate-limited", message: "slow", retry_after_ms: 300 });
  person.hear({ type: "error", id: two.id, code: "rate-limited", message: "slow", retry_after_ms: 400 });
  assert.deepEqual(person.outbox, ["one:queued", "two:queued"]);
  person.pass(399);
  assert.deepEqual(person.take("send"), []);
  person.pass(2);
  assert.deepEqual(person.take("send").map((command) => command.text), ["one"]);
  person.hear({ type: "ack", id: one.id, room: "lobby", seq: 11 });
  assert.deepEqual(person.take("send").map((command) => command.text), ["two"]);
});

test("the page keeps within the rate by itself", () => {
  const person = new Person().login().enter(undefined, { text: 4096, frame: 32768, rate: 10, burst: 10, rooms: 100 }).history();
  for (let i = 0; i < 30; i += 1) person.write(`m${i}`);
  const first = person.take("send").length;
  assert.ok(first <= 10, `${first} at once`);
  person.pass(1_000);
  const second = person.take("send").length;
  assert.ok(second > 5 && second <= 10, `${second} in a second`);
  person.pass(10_000);
  assert.equal(first + second + person.take("send").length, 30);
});

test("any other refusal is shown, and the message can be sent again or thrown away", () => {
  const person = alice().write("hi");
  const [{ id }] = person.take("send");
  person.hear({ type: "error", id, code: "bad-text", message: "Not sent: why." });
  assert.deepEqual(person.outbox, ["hi:failed"]);
  assert.equal(person.state.outbox.items[0].reason, "Not sent: why.");
  person.do({ type: "again", id });
  assert.equal(person.take("send").length, 1);
  person.hear({ type: "error", id, code: "bad-text", message: "no" }).do({ type: "discard", id });
  assert.deepEqual(person.outbox, []);
});

test("a room that the server has forgotten is made anew, by whoever comes first", () => {
  const rooms = [{ room: "lobby", epoch: 7, seq: 1 }, { room: "dev", epoch: 7, seq: 1 }];
  const person = new Person().login().enter(rooms).history().do({ type: "show", key: "#dev" }).lose();
  person.write("pending").enter([rooms[0]]);
  const [create] = person.take("create");
  assert.equal(create.room, "dev");
  person.hear({ type: "error", id: create.id, code: "room-exists", message: "there" });
  const [join] = person.take("join");
  assert.deepEqual(person.take("send"), []);
  person.hear({ type: "joined", id: join.id, room: "dev", epoch: 9, seq: 0, count: 2, created: false });
  assert.equal(person.take("send")[0].room, "dev");
  assert.equal(person.state.current, "#dev");
});

test("a direct conversation begins with its first word and is called by the other's name", () => {
  const person = alice().do({ type: "direct", nick: "Bob" });
  assert.deepEqual(person.take("history"), [], "to ask would open it for the other as well");
  person.write("psst");
  assert.equal(person.take("send")[0].to, "Bob");
  person.hear({ type: "joined", room: "@3", epoch: 7, seq: 0, count: 2, created: false, with: "bob" });
  person.hear({ type: "message", room: "@3", seq: 1, at: 1, from: "alice", to: "bob", text: "psst", action: false });
  assert.equal(person.state.rooms.size, 2);
  assert.deepEqual(person.texts, ["psst"]);
  person.hear({ type: "renamed", room: "@3", from: "bob", to: "rob" });
  assert.equal(person.room.with, "rob");
  person.write("hey");
  assert.equal(person.take("send")[0].to, "rob");
});

test("a direct conversation that begins anew is shown on under the same name", () => {
  const open = (name) => ({ type: "joined", room: name, epoch: 7, seq: 0, count: 2, created: false, with: "bob" });
  const say = (room, text) => ({ type: "message", room, seq: 1, at: 1, from: "bob", to: "alice", text, action: false });
  const person = alice().hear(open("@1")).hear(say("@1", "old")).do({ type: "show", key: "@bob" }).write("on its way");
  person.lose().enter();
  assert.deepEqual(person.outbox, ["on its way:failed"]);
  person.hear({ type: "error", code: "no-such-room", message: "Room @1 does not exist." });
  person.hear(open("@2")).hear(say("@2", "new"));
  assert.deepEqual(person.texts, ["old", "new"]);
  assert.equal(person.state.rooms.size, 2);
  person.hear({ type: "left", room: "@2" });
  assert.deepEqual(person.texts, ["old", "new"]);
});

test("what comes elsewhere is counted until somebody looks", () => {
  const person = alice();
  person.hear({ type: "joined", room: "dev", epoch: 7, seq: 0, count: 2, created: false });
  for (const [seq, text] of [[1, "hello"], [2, "Alice, look"]]) person.hear({ type: "message", room: "dev", seq, at: 1, from: "bob", text, action: false });
  const dev = () => person.state.rooms.get("#dev");
  assert.equal(dev().unread, 2);
  assert.equal(dev().mentioned, true);
  person.do({ type: "show", key: "#dev" });
  assert.equal(dev().unread, 0);
  assert.equal(dev().readUpTo, 0);
  person.do({ type: "attention", here: false });
  person.hear({ type: "message", room: "dev", seq: 3, at: 1, from: "bob", text: "more", action: false });
  assert.equal(dev().unread, 1);
  person.do({ type: "attention", here: true });
  assert.equal(dev().unread, 0);
});

test("commands ask the server, or say what is wrong", () => {
  const person = alice();
  const asks = (line) => { person.take(); person.write(line); return person.take().map(({ id, ...command }) => command); };
  assert.deepEqual(asks("/join dev"), [{ type: "join", room: "dev" }]);
  assert.deepEqual(asks("/create_room ops"), [{ type: "create", room: "ops" }]);
  assert.deepEqual(asks("/leave"), [{ type: "leave", room: "lobby" }]);
  assert.deepEqual(asks("/get_rooms"), [{ type: "rooms" }]);
  assert.deepEqual(asks("/members lobby bob"), [{ type: "members", room: "lobby", after: "bob" }]);
  assert.deepEqual(asks("/nick alicia"), [{ type: "nick", nick: "alicia" }]);
  assert.deepEqual(asks("/hide ALICE"), [{ type: "hide" }]);
  assert.deepEqual(asks("/hide bob"), []);
  assert.deepEqual(asks("/history 20"), [{ type: "history", room: "lobby", limit: 20 }]);
  assert.deepEqual(asks("/broadcast all"), [{ type: "send", room: "lobby", text: "all" }]);
  assert.deepEqual(asks("/me waves"), [{ type: "send", room: "lobby", text: "waves", action: true }]);
  assert.deepEqual(asks("/room nowhere hi"), []);
  assert.match(person.room.rows.at(-1).text, /not in a room nowhere/);
  assert.deepEqual(asks("/quit"), [{ type: "quit" }]);
  person.write("/help");
  assert.equal(person.state.dialog, "help");
});

test("saying goodbye forgets everything but the name", () => {
  const person = alice().hear({ type: "disconnect", code: "bye", message: "Bye", reconnect: false });
  assert.equal(person.state.phase, "login");
  assert.equal(person.state.nick, "alice");
  assert.equal(person.state.rooms.size, 0);
});

test("a connection that is not to come back says why", () => {
  const person = alice().do({ type: "status", status: { kind: "closed", reason: "The connection broke its protocol." } });
  assert.equal(person.state.phase, "chat");
  assert.equal(person.state.welcomed, false);
});
