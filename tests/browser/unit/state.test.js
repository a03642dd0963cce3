import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./person.js";

const alice = () => new Person().login().enter().history();

test("who comes in sees the newest messages and the members of the room", () => {
  const person = new Person().login();
  assert.equal(person.state.phase, "entering");
  person.open();
  assert.deepEqual(person.take("hello"), [{ type: "hello", nick: "alice", client: "tab", id: "r1" }]);
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
  assert.deepEqual(person.state.outbox.items.map((item) => item.seen), [11, null], "one of them is that message");
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

test("what was on its way goes again under the same id, before what was written later", () => {
  const person = alice().write("on its way");
  const [first] = person.take("send");
  person.lose().write("later");
  assert.deepEqual(person.outbox, ["on its way:unsure", "later:queued"]);
  person.enter();
  const again = person.take("send");
  assert.deepEqual(again.map((command) => command.text), ["on its way", "later"]);
  assert.equal(again[0].id, first.id);
  // It had arrived: the ack names a place that has been read already.
  person.message(11, "alice", "on its way").hear({ type: "ack", id: first.id, room: "lobby", seq: 11 });
  assert.deepEqual(person.outbox, ["later:sent"]);
  assert.deepEqual(person.texts, ["on its way"]);
});

test("somebody new to the server does not send again what may have arrived, but what never went out", () => {
  const person = alice().write("on its way");
  person.take();
  person.lose().write("later").enter(undefined, { resumed: false });
  assert.deepEqual(person.outbox, ["on its way:failed", "later:sent"]);
  assert.match(person.state.outbox.items[0].reason, /may have arrived/);
  assert.deepEqual(person.take("send").map((command) => command.text), ["later"]);
  person.do({ type: "again", id: person.state.outbox.items[0].id });
  assert.deepEqual(person.take("send").map((command) => command.text), ["on its way"]);
});

test("the same words from another of one's devices do not settle what is on its way", () => {
  const person = alice().write("ok");
  const [{ id }] = person.take("send");
  person.message(11, "alice", "ok").lose().enter();
  assert.deepEqual(person.take("send").map((command) => command.id), [id]);
  person.hear({ type: "ack", id, room: "lobby", seq: 12 }).message(12, "alice", "ok");
  assert.deepEqual(person.texts, ["ok", "ok"]);
  assert.deepEqual(person.outbox, []);
});

test("what was never sent is changed on the spot, and what is on its way is waited for", () => {
  const person = alice().message(11, "alice", "arrived").lose().write("helo").write("/edit hello");
  assert.deepEqual(person.outbox, ["hello:queued"], "not what was said before it");
  person.write("/delete");
  assert.deepEqual(person.outbox, []);
  person.write("on its way").enter();
  assert.deepEqual(person.take("send").map(({ text }) => text), ["on its way"]);
  person.lose().write("/edit too late");
  assert.match(person.room.rows.at(-1).text, /still on its way/);
  assert.deepEqual(person.outbox, ["on its way:unsure"]);
});

test("what has the id of something else is shown as failed, and sent again under another", () => {
  const person = alice().write("hi");
  const [{ id }] = person.take("send");
  person.hear({ type: "error", id, code: "id-reused", message: "used" });
  assert.deepEqual(person.outbox, ["hi:failed"]);
  assert.deepEqual(person.take("send"), []);
  person.do({ type: "again", id: person.state.outbox.items[0].id });
  const [again] = person.take("send");
  assert.equal(again.text, "hi");
  assert.notEqual(again.id, id);
});

test("a room that was given up and made again counts from the beginning", () => {
  const person = alice().message(11, "bob", "old");
  person.hear({ type: "joined", room: "lobby", epoch: 7, seq: 11, count: 1, created: true }).message(12, "bob", "new");
  person.hear({ type: "joined", room: "lobby", epoch: 7, seq: 0, count: 1, created: false }).message(11, "bob", "newer");
  assert.deepEqual(person.texts, ["old", "new", "newer"]);
  assert.equal(person.room.life, 2);
});

test("who is out of sight says so when coming back as somebody new", () => {
  const person = alice().write("/hide");
  const [{ id }] = person.take("hide");
  person.hear({ type: "hidden", id, hidden: true }).lose().open();
  const [hello] = person.take("hello");
  assert.equal(hello.hidden, true);
  assert.equal(hello.token, "t1");
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
  const person = new Person().login().enter(undefined, {}, { text: 4096, frame: 32768, rate: 10, burst: 10, rooms: 100 }).history();
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
  person.write("pending").enter([rooms[0]], { resumed: false });
  const [create] = person.take("create");
  assert.equal(create.room, "dev");
  person.hear({ type: "error", id: create.id, code: "room-exists", message: "there" });
  const [join] = person.take("join");
  assert.deepEqual(person.take("send"), []);
  person.hear({ type: "joined", id: join.id, room: "dev", epoch: 9, seq: 0, count: 2, created: false });
  assert.equal(person.take("send")[0].room, "dev");
  assert.equal(person.state.current, "#dev");
});

test("a room that was left with another device is gone here, but not what was to be said in it", () => {
  const rooms = [{ room: "lobby", epoch: 7, seq: 1 }, { room: "dev", epoch: 7, seq: 1 }];
  const person = new Person().login().enter(rooms).lose().enter([rooms[0]]);
  assert.deepEqual(person.take("create"), [], "it was named in hello, and the answer follows");
  person.hear({ type: "left", room: "dev" });
  assert.equal(person.state.rooms.has("#dev"), false);
  person.hear({ type: "joined", room: "dev", epoch: 7, seq: 1, count: 2, created: false, unread: 0 });
  person.do({ type: "show", key: "#dev" }).lose().write("wait").enter([rooms[0]]).hear({ type: "left", room: "dev" });
  assert.deepEqual(person.outbox, ["wait:failed"]);
  person.do({ type: "again", id: person.state.outbox.items[0].id });
  const [join] = person.take("join");
  person.hear({ type: "joined", id: join.id, room: "dev", epoch: 7, seq: 1, count: 2, created: false, unread: 0 });
  assert.equal(person.take("send")[0].room, "dev");
});

test("a room that the server has forgotten is made anew by who comes back as the same, too", () => {
  const rooms = [{ room: "lobby", epoch: 7, seq: 1 }, { room: "dev", epoch: 7, seq: 1 }];
  const person = new Person().login().enter(rooms).lose().enter([rooms[0]]);
  person.hear({ type: "error", code: "no-such-room", message: "Room dev does not exist." });
  assert.equal(person.take("create")[0].room, "dev");
});

test("after a reload the rooms are what the server says, if it knows who we are", () => {
  const memory = { own: [], token: "t1", client: "tab", prefix: "q", hidden: false, rooms: [{ name: "dev", with: null }, { name: "ops", with: null }], current: "#ops" };
  const person = new Person().do({ type: "remember", memory }).do({ type: "login", nick: "alice", automatic: true });
  person.enter([{ room: "lobby", epoch: 7, seq: 1 }, { room: "ops", epoch: 7, seq: 1 }]);
  assert.deepEqual([...person.state.rooms.keys()].sort(), ["#lobby", "#ops"]);
  assert.equal(person.state.current, "#ops");
  assert.deepEqual(person.take("create"), []);
});

test("what another page has left goes out in the order in which it was written", () => {
  const memory = { own: [], token: "t1", client: "tab", prefix: "q", hidden: false, rooms: [], current: null };
  const item = (id, text, placed, state) => ({
    id, kind: "send", room: "#lobby", name: "lobby", with: null, epoch: 7, target: null, reply: null, text, action: false, at: 1, placed, from: "alice", state, reason: "", seq: null, seen: null,
  });
  const person = new Person().do({ type: "remember", memory });
  person.do({ type: "outbox", items: [item("a-2", "two", 2, "queued"), item("a-1", "one", 1, "unsure")] });
  person.do({ type: "login", nick: "alice", automatic: true }).write("three").enter();
  assert.deepEqual(person.take("send").map(({ id, text }) => [id, text]).slice(0, 2), [["a-1", "one"], ["a-2", "two"]]);
  person.do({ type: "outbox", items: [item("b-1", "of a tab that is gone", 3, "unsure")] });
  assert.equal(person.take("send").at(-1).id, "b-1");
});

test("a message is changed, withdrawn and answered", () => {
  const person = alice().message(11, "alice", "teh cat").message(12, "bob", "what?");
  const sent = () => person.take().map(({ id, ...command }) => command);
  person.take();
  person.do({ type: "edit-last" });
  assert.deepEqual(person.room.mode, { kind: "edit", seq: 11, text: "teh cat" });
  person.do({ type: "change", key: "#lobby", seq: 11, text: "the cat" });
  assert.deepEqual(sent(), [{ type: "edit", room: "lobby", seq: 11, text: "the cat" }]);
  assert.equal(person.room.mode, null);
  person.do({ type: "change", key: "#lobby", seq: 11, text: "teh cat" });
  assert.deepEqual(sent(), [], "what is the same is no change");
  person.do({ type: "mode", key: "#lobby", mode: { kind: "reply", seq: 12, from: "bob", text: "what?" } }).write("that one").write("and another");
  assert.deepEqual(sent(), [{ type: "send", room: "lobby", text: "that one", reply: 12 }, { type: "send", room: "lobby", text: "and another" }]);
  person.write("/reply BOB yes");
  assert.equal(sent()[0].reply, 12);
  person.do({ type: "withdraw", key: "#lobby", seq: 11, sure: false });
  assert.equal(person.state.dialog, "question");
  assert.deepEqual(sent(), []);
  person.do(person.state.question.event);
  assert.deepEqual(sent(), [{ type: "delete", room: "lobby", seq: 11 }]);
  assert.equal(person.state.dialog, "none");
});

test("a change shows in the timeline, and settles with its ack", () => {
  const person = alice().message(11, "alice", "teh cat").write("/edit the cat");
  const [{ id }] = person.take("edit");
  assert.deepEqual(person.outbox, ["the cat:sent"]);
  person.hear({ type: "ack", id, room: "lobby", seq: 12 });
  person.hear({ type: "edited", room: "lobby", seq: 12, at: 1, from: "alice", target: 11, text: "the cat" });
  assert.deepEqual(person.outbox, []);
  assert.deepEqual(person.texts, ["the cat"]);
  assert.equal(person.room.seq, 12);
  person.write("/delete");
  const [deletion] = person.take("delete");
  person.hear({ type: "error", id: deletion.id, code: "no-such-message", message: "gone" });
  assert.deepEqual(person.outbox, [], "what is gone need not be withdrawn");
});

test("after an hour a message stays as it is", () => {
  const person = alice().message(11, "alice", "old");
  person.now += 60 * 60_000;
  person.take();
  person.do({ type: "edit-last" }).write("/edit new").write("/delete");
  assert.deepEqual(person.take().filter(({ type }) => type === "edit" || type === "delete"), []);
  assert.match(person.room.rows.at(-1).text, /no message of yours/);
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
  person.lose().enter(undefined, { resumed: false });
  assert.deepEqual(person.outbox, ["on its way:failed"]);
  person.hear({ type: "error", code: "no-such-room", message: "Room @1 does not exist." });
  person.hear(open("@2")).hear(say("@2", "new"));
  assert.deepEqual(person.texts, ["old", "new"]);
  assert.equal(person.state.rooms.size, 2);
  person.hear({ type: "left", room: "@2" });
  assert.deepEqual(person.texts, ["old", "new"]);
});

test("what comes elsewhere is counted until somebody sees the end of it", () => {
  const person = alice();
  person.hear({ type: "joined", room: "dev", epoch: 7, seq: 0, count: 2, created: false, unread: 0 });
  for (const [seq, text] of [[1, "hello"], [2, "Alice, look"]]) person.hear({ type: "message", room: "dev", seq, at: 1, from: "bob", text, action: false });
  const dev = () => person.state.rooms.get("#dev");
  assert.equal(dev().unread, 2);
  assert.equal(dev().mentioned, true);
  person.do({ type: "show", key: "#dev" });
  assert.deepEqual([dev().readUpTo, dev().news], [0, 2]);
  person.history();
  assert.equal(dev().unread, 2, "nobody has seen the end yet");
  person.seeEnd();
  assert.equal(dev().unread, 0);
  assert.equal(dev().mentioned, false);
  assert.deepEqual([dev().readUpTo, dev().news], [0, 2], "the line stays");
  person.do({ type: "attention", here: false });
  person.hear({ type: "message", room: "dev", seq: 3, at: 1, from: "bob", text: "more", action: false });
  assert.deepEqual([dev().unread, dev().readUpTo, dev().news], [1, 2, 1]);
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
  const sends = (line) => asks(line).map(({ id, ...command }) => command);
  assert.deepEqual(sends("/broadcast all"), [{ type: "send", room: "lobby", text: "all" }]);
  assert.deepEqual(sends("/me waves"), [{ type: "send", room: "lobby", text: "waves", action: true }]);
  assert.deepEqual(asks('/search "big cat" dog'), [{ type: "search", room: "lobby", words: '"big cat" dog', limit: 30 }]);
  assert.deepEqual(asks("/room nowhere hi"), []);
  assert.match(person.room.rows.at(-1).text, /not in a room nowhere/);
  person.write("/help");
  assert.equal(person.state.dialog, "help");
});

test("leaving asks about what is not sent yet, and works without a connection", () => {
  const person = alice().write("/quit");
  assert.deepEqual(person.take("quit"), [{ type: "quit" }]);
  person.lose().write("unsent").write("/quit");
  assert.equal(person.state.dialog, "question");
  assert.equal(person.state.phase, "chat");
  person.do(person.state.question.event);
  assert.equal(person.state.phase, "login");
  assert.equal(person.state.token, null);
  assert.deepEqual(person.outbox, []);
});

test("who is replaced by another page is told so", () => {
  const person = alice().hear({ type: "disconnect", code: "replaced", message: "…", reconnect: false }).do({ type: "status", status: { kind: "closed", reason: "…" } });
  assert.equal(person.state.replaced, true);
  assert.equal(person.state.phase, "chat");
  person.do({ type: "client", client: "tab2" }).open();
  assert.equal(person.take("hello")[0].client, "tab2");
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
