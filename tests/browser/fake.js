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
    const message = { room, seq: log.length + 1, at: more.at ?? Date.now(), from, text, ...more };
    log.push(message);
    for (const peer of this.peers) if (this.room(room).members.has(peer.nick)) peer.send({ type: "message", ...message });
    return message;
  }

  entered(name, position) {
    const room = this.room(name);
    const seq = position?.epoch === this.epoch ? position.seq : room.log.length;
    return { room: name, epoch: this.epoch, seq, count: room.members.size };
  }

  answer(command, peer) {
    const { id, type, room: name } = command;
    const room = name === undefined ? undefined : this.rooms.get(name);
    switch (type) {
      case "hello": {
        peer.nick = command.nick;
        const wanted = (command.rooms ?? [{ room: "lobby" }]).filter((one) => this.rooms.has(one.room));
        for (const one of wanted) this.room(one.room).members.add(peer.nick);
        peer.send({
          type: "welcome", id, nick: peer.nick, server: "fake/0", rooms: wanted.map((one) => this.entered(one.room, one.position)),
          limits: this.limits ?? { text: 4096, frame: 32768, rate: 10, burst: 50, rooms: 100 },
        });
        for (const { room: one, position } of wanted) {
          if (position?.epoch === this.epoch) this.room(one).log.filter((m) => m.seq > position.seq).forEach((m) => peer.send({ type: "message", ...m }));
        }
        return;
      }
      case "send": {
        const message = this.say(name ?? "lobby", peer.nick, command.text, command.action ? { action: true } : {});
        return peer.send({ type: "ack", id, room: message.room, seq: message.seq });
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
        const log = room?.log ?? [];
        const all = log.filter((m) => (command.before === undefined || m.seq < command.before) && (command.after === undefined || m.seq > command.after));
        const messages = command.after === undefined ? all.slice(-(command.limit ?? 50)) : all.slice(0, command.limit ?? 50);
        return peer.send({ type: "history", id, room: name ?? "@1", epoch: this.epoch, messages, more: messages.length < all.length });
      }
      case "nick":
        peer.nick = command.nick;
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
