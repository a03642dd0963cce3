/**
 * The real server, and a peer that speaks lines to it, as `nc` would.
 */

import { spawn } from "node:child_process";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BINARY = process.env.CROSSTALK_SERVER ?? `${ROOT}target/debug/crosstalk-server`;
const PATIENCE_MS = 15_000;

/** What a failed test has left running. */
const running = new Set();

/** Ends what is still running. */
export async function stopServers() {
  for (const { child, ended } of running) {
    child.kill("SIGKILL");
    await ended;
  }
}

/** Starts it; with `http` on a certain port, to come back where it was, and with `data` in a directory that it finds again. */
export async function startServer({ http = "127.0.0.1:0", data = "", args = [] } = {}) {
  const child = spawn(BINARY, ["--tcp", "127.0.0.1:0", "--http", http, ...(data ? ["--data", data] : ["--ephemeral"]), "--web-dir", `${ROOT}web`, "--log", "warn", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const entry = { child, ended };
  running.add(entry);
  void ended.then(() => running.delete(entry));
  const line = await Promise.race([
    new Promise((resolve) => createInterface(child.stdout).once("line", resolve)),
    ended.then((code) => { throw new Error(`the server ended with ${code} before it listened`); }),
  ]);
  const [, tcp, url] = /JSON on (\S+), the page on (\S+)/.exec(line) ?? [];
  if (!url) throw new Error(`unexpected first line: ${line}`);
  return {
    url, tcp,
    http: new URL(url).host,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
    /** Ends without a farewell, as if the plug were pulled. */
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A peer that speaks lines. @param {{ tcp: string }} server @param {string} nick */
export async function linePeer(server, nick) {
  const [host, port] = server.tcp.split(":");
  const socket = connect(Number(port), host);
  const lines = [];
  let notify = () => {};
  createInterface(socket).on("line", (line) => {
    lines.push(line);
    notify();
  });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  const peer = {
    lines,
    send: (...texts) => socket.write(texts.map((text) => `${text}\n`).join("")),
    /** Waits for a line, however long ago it came. */
    async until(pattern) {
      const deadline = AbortSignal.timeout(PATIENCE_MS);
      for (;;) {
        const found = lines.find((line) => (typeof pattern === "string" ? line === pattern : pattern.test(line)));
        if (found !== undefined) return found;
        await new Promise((resolve, reject) => {
          notify = () => resolve(undefined);
          deadline.onabort = () => reject(new Error(`no line ${pattern} among:\n${lines.join("\n")}`));
        });
      }
    },
    close: () => new Promise((resolve) => socket.once("close", resolve).end()),
  };
  peer.send(nick);
  await peer.until("Connected to the server");
  return peer;
}
