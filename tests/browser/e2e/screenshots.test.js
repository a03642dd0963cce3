import { after, before, test } from "node:test";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startFake, stopFakes } from "../fake.js";
import { enter, launch, message, openWindow, write } from "../page.js";

const OUT = fileURLToPath(new URL("../../../build/screenshots/", import.meta.url));
const SIZES = [[320, 640], [360, 740], [1440, 900], [1920, 1080]];
const MINUTE = 60_000;

let browser;
before(async () => { mkdirSync(OUT, { recursive: true }); browser = await launch(); });
after(async () => { await stopFakes(); await browser?.close(); });

for (const colorScheme of ["light", "dark"]) {
  for (const [width, height] of SIZES) {
    test(`pictures for a person to look at, ${width} pixels, ${colorScheme}`, async () => {
      const fake = await startFake();
      const window = await openWindow(browser, { viewport: { width, height }, colorScheme, reducedMotion: "reduce", deviceScaleFactor: width < 500 ? 2 : 1 });
      const { page } = window;
      const picture = (name) => page.screenshot({ path: `${OUT}${name}-${width}-${colorScheme}.png` });
      await page.goto(fake.url);
      await page.locator("#login-nick").fill("alice");
      await picture("login");
      await converse(fake);
      await enter(page, fake.url, "alice");
      await message(page, "See you at three").waitFor();
      goOn(fake);
      await write(page, "On my way. I’ll bring the long cable.");
      await message(page, "On my way").waitFor();
      await page.locator("#room-list .badge, #rooms-button.has-news").first().waitFor({ state: "attached" });
      await picture("chat");
      await message(page, "On my way").locator("[data-tool=edit]").focus();
      await picture("tools");
      await page.keyboard.press("Enter");
      await page.getByText("Editing your message").waitFor();
      await write(page, "On my way. I’ll bring the long cable, and the short one.");
      await page.locator(".mark").waitFor();
      await message(page, "look at the third page").or(message(page, "It reports every ten minutes")).locator("[data-tool=reply]").focus();
      await page.keyboard.press("Enter");
      await page.locator("#composer-text").fill("Thanks, bob!");
      await picture("answer");
      await page.keyboard.press("Enter");
      await message(page, "Thanks, bob!").waitFor();
      await picture("answered");
      await write(page, "/search the log");
      await page.locator(".hit").first().waitFor();
      await picture("search");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+k");
      await page.locator("#directory-list li").first().waitFor();
      await picture("rooms");
      await page.keyboard.press("Escape");
      if (width < 500) {
        await page.locator("#rooms-button").click();
        await picture("drawer");
        await page.keyboard.press("Escape");
      }
      await write(page, "/help");
      await page.locator("#help[open]").waitFor();
      await picture("help");
      await page.keyboard.press("Escape");
      await page.locator(width < 768 ? "#rooms-button" : "#you-button").click();
      if (width < 768) await page.locator("#you-button").click();
      await page.locator("#you[open]").waitFor();
      await picture("you");
      await page.getByRole("button", { name: "Use on another device" }).click();
      await page.locator("#device[open]").waitFor();
      await picture("device");
      await page.keyboard.press("Escape");
      for (const peer of fake.peers) peer.send({ type: "disconnect", code: "shutdown", message: "The server is going down; come back in a moment.", reconnect: true, retry_after_ms: 9_000 });
      for (const peer of fake.peers) peer.socket.close(1001);
      await page.getByRole("button", { name: "Try now" }).waitFor();
      await write(page, "Is anybody still there?");
      await page.locator(".message.pending").waitFor();
      await picture("lost");
      await window.close();
      await fake.stop();
    });
  }
}

async function converse(fake) {
  const start = Date.now() - 50 * MINUTE;
  const lines = [
    ["bob", "Morning, all. The new build is on the test machine."],
    ["bob", "make 2>&1 | crosstalk send — works from the Pi as well now."],
    ["carol", "Nice! Over telnet I even keep my line when something comes in between."],
    ["dave", "Did anybody write down how to get in from the old terminal?"],
    ["carol", "It is one line: nc chat.example.org 44444"],
    ["carol", "More at https://example.org/notes/terminals (second half)."],
    ["alice", "Thanks! I’ll add it to the notes."],
    ["dave", "puts the kettle on", { action: true }],
    ["erin", "Guten Morgen ☀️ — was ist mit dem Sensor im Garten?"],
    ["bob", "It reports every ten minutes; see the room garden. Last night it was −2 °C, and the log has no hole in it."],
    ["نور", "صباح الخير"],
    ["erin", "👍🏽"],
    ["carol", "See you at three, then."],
  ];
  for (const name of ["dev", "garden", "incident-42", "reading-group"]) fake.room(name);
  for (const nick of ["bob", "carol", "dave", "erin", "frank", "grace", "نور", "build-bot"]) fake.room("lobby").members.add(nick);
  lines.forEach(([from, text, more], i) => fake.say("lobby", from, text, { at: start + i * 3 * MINUTE - (i % 2) * 2.5 * MINUTE, ...more }));
}

function goOn(fake) {
  for (const peer of fake.peers) {
    peer.send({ type: "presence", room: "lobby", joined: ["heidi"], joined_count: 1, left: ["frank"], left_count: 1, count: 9 });
    for (const [room, others] of [["dev", 4], ["garden", 3]]) {
      fake.room(room).members.add("alice");
      peer.send({ type: "joined", room, epoch: fake.epoch, seq: 0, count: others });
      fake.say(room, "bob", "A word here");
    }
    fake.say("garden", "bob", "alice, have a look");
    peer.send({ type: "joined", room: "@1", epoch: fake.epoch, seq: 0, count: 2, with: "carol" });
    peer.send({ type: "message", room: "@1", seq: 1, at: Date.now(), from: "carol", to: "alice", text: "psst" });
  }
}
