/**
 * A link between the page and the server that breaks in the middle of everything, as its seed says.
 */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BINARY = `${process.env.CARGO_TARGET_DIR ?? `${ROOT}target`}/debug/examples/flaky-proxy`;

/** Opens one; at first everything passes. @param {string} upstream */
export async function startProxy(upstream, seed = 1) {
  const child = spawn(BINARY, ["127.0.0.1:0", upstream, String(seed)], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await answers.next();
    if (done) throw new Error("the proxy has ended");
    return value;
  };
  const say = (words) => { child.stdin.write(`${words}\n`); };
  say("calm");
  const address = await next();
  return {
    url: `http://${address}/`,
    calm: () => say("calm"),
    flaky: () => say("flaky"),
    cut: () => say("cut"),
    async breaks() {
      say("count");
      return Number(await next());
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
