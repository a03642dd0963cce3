/**
 * Makes docs/images/conversation.png, the picture of the README: one real server; the page in
 * Chromium, nc, telnet and the terminal client in tmux; what each of them shows at the end.
 * Needs tmux, nc, telnet and the built programs: `node picture.js`.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { enter, launch, message, openWindow, write } from "./page.js";
import { startServer } from "./server.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OUT = `${ROOT}docs/images/`;
const CLIENT = `${ROOT}target/debug/crosstalk`;
const COLUMNS = 64;
const ROWS = 13;
const PATIENCE_MS = 15_000;

const directory = mkdtempSync(`${tmpdir()}/crosstalk-picture-`);
const tmux = (...args) => execFileSync("tmux", ["-S", `${directory}/tmux`, "-f", "/dev/null", ...args], { encoding: "utf8" });

/** A terminal in which a program runs. */
function terminal(title, command) {
  const name = title.split(" ")[0];
  tmux("new-session", "-d", "-s", name, "-x", String(COLUMNS), "-y", String(ROWS), command);
  const screen = () => tmux("capture-pane", "-p", "-e", "-t", name).replace(/\n+$/, "");
  return {
    title, screen,
    type: (text) => tmux("send-keys", "-t", name, "-l", text),
    enter: (text) => { tmux("send-keys", "-t", name, "-l", text); tmux("send-keys", "-t", name, "Enter"); },
    async shows(text) {
      for (const end = Date.now() + PATIENCE_MS; !screen().includes(text);) {
        if (Date.now() > end) throw new Error(`${title} does not show ${text}:\n${screen()}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const COLOURS = ["#8b949e", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#76e3ea", "#e6edf3"];

/** The colours of a terminal, as spans. Only what the client uses. */
function html(text) {
  let open = 0;
  const spans = text.replace(/[&<>]/g, (c) => ENTITIES[c]).replace(/\x1b\[([\d;]*)m/g, (_, codes) => {
    let out = "";
    for (const code of codes.split(";").map(Number)) {
      if (code === 0 || code === 39 || code === 22) { out += "</span>".repeat(open); open = 0; continue; }
      const colour = COLOURS[code >= 90 && code < 98 ? code - 90 : code >= 30 && code < 38 ? code - 30 : -1];
      const style = colour ? `color:${colour}` : code === 1 ? "font-weight:bold" : code === 2 ? "opacity:.65" : "";
      if (style) { out += `<span style="${style}">`; open += 1; }
    }
    return out;
  });
  return spans + "</span>".repeat(open);
}

const server = await startServer();
const browser = await launch();
try {
  const [host, port] = server.tcp.split(":");
  const bob = terminal("nc localhost 44444", `nc ${host} ${port}`);
  await bob.shows("nickname");
  bob.enter("bob");
  await bob.shows("Welcome, bob");
  const dave = terminal("telnet localhost 44444", `telnet ${host} ${port}`);
  await dave.shows("nickname");
  dave.enter("dave");
  await dave.shows("Welcome, dave");
  const window = await openWindow(browser, { viewport: { width: 900, height: 744 }, reducedMotion: "reduce" });
  await enter(window.page, server.url, "alice");
  const carol = terminal("crosstalk localhost:44444", `${CLIENT} --nick carol ${server.tcp}`);
  await carol.shows("carol");
  const say = async (who, text) => {
    who.enter(text);
    await message(window.page, text).waitFor();
  };
  await say(bob, "Is anybody here who does not use nc?");
  await say(carol, "The terminal client. My line stays whole while you talk.");
  await write(window.page, "A browser, on the tram. Same room, same history.");
  await bob.shows("on the tram");
  await say(dave, "Telnet, since 1983.");
  await say(bob, "Then we are complete: https://example.org/notes");
  await write(window.page, "/me waves at the terminals");
  await bob.shows("waves at");
  await carol.shows("waves at");
  carol.type("and what I am typing is st");
  await carol.shows("am typing is st");
  await window.page.locator("#composer-text").fill("See you at three");
  const page = (await window.page.screenshot()).toString("base64");
  const terminals = [carol, bob, dave].map(({ title, screen }) => `<section><h2>${title}</h2><pre>${html(screen())}</pre></section>`);
  const frame = await browser.newPage({ viewport: { width: 1500, height: 800 } });
  await frame.setContent(`<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; padding: 28px; display: flex; gap: 24px; background: #dfe6e4; font-family: system-ui, sans-serif; height: 800px; box-sizing: border-box }
    img, section { border-radius: 10px; box-shadow: 0 6px 24px #0003; overflow: hidden }
    img { width: 900px; height: 744px }
    aside { display: flex; flex-direction: column; gap: 18px; flex: 1 }
    section { background: #0d1117; color: #e6edf3; height: 236px; flex: none }
    h2 { margin: 0; padding: 5px 12px; font-size: 12px; font-weight: 500; background: #21262d; color: #c9d1d9 }
    pre { margin: 0; padding: 7px 12px; font: 12.5px/15px "DejaVu Sans Mono", monospace; white-space: pre }
  </style><img src="data:image/png;base64,${page}" alt=""><aside>${terminals.join("")}</aside>`);
  mkdirSync(OUT, { recursive: true });
  await frame.screenshot({ path: `${OUT}conversation.png`, clip: { x: 0, y: 0, width: 1500, height: 800 } });
  await window.close();
} finally {
  await browser.close();
  try { tmux("kill-server"); } catch { /* The last session may have ended by itself. */ }
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
