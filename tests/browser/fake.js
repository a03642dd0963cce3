/**
 * A server that misbehaves on demand: it refuses, falls silent, forgets, and sends what it is told
 * to. What a good server does is tested against the real one.
 */

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const WEB = fileURLToPath(new URL("../../web/", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws:; base-uri 'none'; "
  + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/** What a failed test has left running. */
const running = new Set();

export async function startFake() {
  const fake = new Fake();
  await fake.start();
  running.add(fake);
  return fake;
}

export async function stopFakes() {
  for (const fake of running) await fake.stop();
}

class Fake {
  /** Every command received, in order. */
  received = [];
  /** Asked first, with (command, peer); `true` means that it has answered. */
  intercept = () => false;
  peers = new Set();
  rooms = new Map();
  /** People, by token: their names, read positions, and the ids of what they have sent. */
  people = new Map();

  async start() {
    this.epoch = Date.now();
    this.room("lobby");
    this.http = createServer((request, response) => void serve(request, response));
    this.sockets = new WebSocketServer({ server: this.http, path: "/ws" });
    this.sockets.on("connection", (socket) => this.connected(socket));
    await new Promise((resolve) => this.http.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.http.address().port}/`;
  }

  async stop() {
    running.delete(this);
    for (const socket of this.sockets.clients) socket.terminate();
    await new Promise((resolve) => this.http.close(resolve));
  }

  room(name) {
    if (!this.rooms.has(name)) this.rooms.set(name, { log: [], members: new Set() });
    return this.rooms.get(name);
  }

  connected(socket) {
    const peer = { socket, nick: null, send: (event) => socket.send(JSON.stringify(event)) };
    this.peers.add(peer);
    socket.on("message", (data) => {
      const command = JSON.parse(String(data));
      this.received.push(command);
      if (!this.intercept(command, peer)) this.answer(command, peer);
    });
    socket.on("close", () => {
      this.peers.delete(peer);
      for (const room of this.rooms.values()) room.members.delete(peer.nick);
    });
  }

  /** Says something, as `from`. */
  say(room, from, text, more = {}) {
    const { log } = this.room(room);
    const message = { type: "message", room, seq: log.length + 1, at: more.at ?? Date.now(), from, text, ...more };
    return this.append(room, message);
  }

  append(room, entry) {
    this.room(room).log.push(entry);
    for (const peer of this.peers) if (this.room(room).members.has(peer.nick)) peer.send(entry);
    return entry;
  }

  /** Changes or withdraws a message: its words are gone from the log. */
  change(type, { room, seq: target, text }, from) {
    const { log } = this.room(room);
    const message = log[target - 1];
    if (type === "edit") Object.assign(message, { text, edited: true });
    else log[target - 1] = { type: "gone", room, seq: target };
    return this.append(room, { type: type === "edit" ? "edited" : "deleted", room, seq: log.length + 1, at: Date.now(), from, target, ...(type === "edit" ? { text } : {}) });
  }

  messages(room) {
    return (this.rooms.get(room)?.log ?? []).filter((entry) => entry.type === "message");
  }

  entered(name, position, person) {
    const room = this.room(name);
    const seq = position?.epoch === this.epoch ? position.seq : room.log.length;
    const read = person?.read.get(name);
    const unread = read === undefined ? 0 : this.messages(name).filter((message) => message.seq > read).length;
    return { room: name, epoch: this.epoch, seq, count: room.members.size, ...(read === undefined ? {} : { read }), unread };
  }

  answer(command, peer) {
    const { id, type, room: name } = command;
    const room = name === undefined ? undefined : this.rooms.get(name);
    switch (type) {
      case "hello": {
        const known = this.people.get(command.token);
        const token = known ? command.token : `token-${this.people.size + 1}-${this.epoch}`;
        peer.person = known ?? { nick: command.nick, read: new Map(), ids: new Map() };
        this.people.set(token, peer.person);
        peer.nick = peer.person.nick;
        const wanted = (command.rooms ?? [{ room: "lobby" }]).filter((one) => this.rooms.has(one.room));
        for (const one of wanted) this.room(one.room).members.add(peer.nick);
        peer.send({
          type: "welcome", id, nick: peer.nick, token, resumed: known !== undefined, server: "fake/0", rooms: wanted.map((one) => this.entered(one.room, one.position, peer.person)),
          limits: this.limits ?? { text: 4096, frame: 32768, rate: 10, burst: 50, rooms: 100 },
        });
        for (const { room: one, position } of wanted) {
          if (position?.epoch === this.epoch) this.room(one).log.filter((m) => m.seq > position.seq).forEach((m) => peer.send(m));
        }
        return;
      }
      case "send": case "edit": case "delete": {
        const { ids } = peer.person;
        if (!ids.has(id)) {
          const answered = room?.log[command.reply - 1];
          const more = { ...(command.action ? { action: true } : {}), ...(answered ? { reply: { seq: answered.seq, from: answered.from } } : {}) };
          const entry = type === "send" ? this.say(name ?? "lobby", peer.nick, command.text, more) : this.change(type, command, peer.nick);
          ids.set(id, { room: entry.room, seq: entry.seq });
        }
        return peer.send({ type: "ack", id, ...ids.get(id) });
      }
      case "read":
        peer.person.read.set(name, Math.max(peer.person.read.get(name) ?? 0, command.seq));
        for (const other of this.peers) if (other.person === peer.person && (other !== peer || id)) other.send({ type: "read", ...(other === peer ? { id } : {}), room: name, seq: command.seq });
        return;
      case "search": {
        const words = command.words.toLowerCase().replaceAll('"', "").split(/\s+/);
        const all = this.messages(name).filter((m) => (command.before === undefined || m.seq < command.before) && words.every((word) => m.text.toLowerCase().includes(word)));
        const messages = all.slice(-(command.limit ?? 50));
        return peer.send({ type: "found", id, room: name, epoch: this.epoch, messages, more: messages.length < all.length });
      }
      case "create": case "join":
        this.room(name).members.add(peer.nick);
        return peer.send({ type: "joined", id, ...this.entered(name), created: type === "create" });
      case "leave":
        room?.members.delete(peer.nick);
        return peer.send({ type: "left", id, room: name });
      case "rooms":
        return peer.send({ type: "rooms", id, more: false, rooms: [...this.rooms].map(([one, { members }]) => ({ room: one, count: members.size, member: members.has(peer.nick) })) });
      case "members": {
        const members = [...(room ?? this.room("lobby")).members].sort();
        return peer.send({ type: "members", id, room: name, members, count: members.length, more: false });
      }
      case "history": {
        const log = this.messages(name);
        const all = log.filter((m) => (command.before === undefined || m.seq < command.before) && (command.after === undefined || m.seq > command.after));
        const messages = command.after === undefined ? all.slice(-(command.limit ?? 50)) : all.slice(0, command.limit ?? 50);
        return peer.send({ type: "history", id, room: name ?? "@1", epoch: this.epoch, messages, more: messages.length < all.length });
      }
      case "nick":
        peer.nick = peer.person.nick = command.nick;
        return peer.send({ type: "nick", id, nick: peer.nick });
      case "hide": case "reveal": return peer.send({ type: "hidden", id, hidden: type === "hide" });
      case "ping": return peer.send({ type: "pong", id });
      case "quit": return peer.send({ type: "disconnect", code: "bye", message: "Bye", reconnect: false });
    }
  }
}

async function serve(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  const path = normalize(pathname === "/" ? "/index.html" : pathname);
  try {
    const body = await readFile(join(WEB, path));
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", "content-security-policy": POLICY, "cache-control": "no-cache" });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}
