import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { startFake, stopFakes } from "../fake.js";
import { enter, launch, message, openWindow, write } from "../page.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser, fake, windows;
before(async () => { browser = await launch(); });
after(async () => { await stopFakes(); await browser?.close(); });
beforeEach(async () => { windows = []; fake = await startFake(); });
afterEach(async () => {
  for (const window of windows) await window.close();
  await fake.stop();
});
const open = async (nick, options) => {
  const window = await openWindow(browser, options);
  windows.push(window);
  if (nick) await enter(window.page, fake.url, nick);
  else await window.page.goto(fake.url);
  return window.page;
};
const fits = (page) => page.evaluate(() => [...document.querySelectorAll("body, #chat, #room, #timeline, dialog[open], .panel-body")]
  .filter((element) => element.scrollWidth > element.clientWidth + 1).map((element) => element.id || element.className || element.tagName));

async function accessible(page, where) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${where}: ${id}: ${nodes.map((node) => `${node.target} ${node.any.map((check) => check.message)}`).join("; ")}`), []);
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [320, 1280]) {
    test(`axe finds nothing, ${colorScheme}, ${width} pixels wide`, async () => {
      const options = { colorScheme, reducedMotion: "reduce", viewport: { width, height: 700 } };
      const page = await open(null, options);
      await page.locator("#login-nick").waitFor();
      await accessible(page, "login");
      await enter(page, fake.url, "alice");
      lively();
      await message(page, "The last word").waitFor();
      await accessible(page, "chat");
      assert.deepEqual(await fits(page), []);
      const close = () => page.keyboard.press("Escape");
      await page.keyboard.press("Control+k");
      await page.locator("#directory[open]").waitFor();
      await accessible(page, "directory");
      assert.deepEqual(await fits(page), []);
      await close();
      await write(page, "my own message");
      await message(page, "my own message").locator("[data-tool=reply]").focus();
      await accessible(page, "tools");
      assert.deepEqual(await fits(page), []);
      await page.keyboard.press("Enter");
      await write(page, "an answer to it");
      await message(page, "an answer to it").locator(".quote").waitFor();
      await page.keyboard.press("ArrowUp");
      await page.getByText("Editing your message").waitFor();
      await accessible(page, "editing");
      assert.deepEqual(await fits(page), []);
      await page.locator("#composer-text").fill("");
      await page.keyboard.press("Enter");
      await page.locator("#question[open]").waitFor();
      await accessible(page, "question");
      await page.locator("#question-yes").click();
      await page.locator(".notice.withdrawn").waitFor();
      await accessible(page, "withdrawn");
      await write(page, "/search the");
      await page.locator(".hit").first().waitFor();
      await accessible(page, "search");
      assert.deepEqual(await fits(page), []);
      await close();
      await write(page, "/help");
      await page.locator("#help[open]").waitFor();
      await accessible(page, "help");
      assert.deepEqual(await fits(page), []);
      await close();
      if (width === 320) {
        for (const drawer of ["rooms", "members"]) {
          await page.locator(`#${drawer}-button`).click();
          await page.locator(`#${drawer}-drawer[open]`).waitFor();
          await accessible(page, drawer);
          await close();
        }
        await page.locator("#rooms-button").click();
      }
      await page.locator("#you-button").click();
      await page.locator("#you[open]").waitFor();
      await accessible(page, "you");
      await page.getByRole("button", { name: "Use on another device" }).click();
      await page.locator("#device[open]").waitFor();
      await accessible(page, "device");
      assert.deepEqual(await fits(page), []);
      await close();
      await page.locator("dialog[open]").waitFor({ state: "detached" });
      for (const peer of fake.peers) peer.send({ type: "disconnect", code: "shutdown", message: "Going down.", reconnect: true, retry_after_ms: 60_000 });
      for (const peer of fake.peers) peer.socket.close(1001);
      await page.getByRole("button", { name: "Try now" }).waitFor();
      await write(page, "waiting");
      await page.locator(".message.pending").waitFor();
      await accessible(page, "lost");
      assert.deepEqual(await fits(page), []);
    });
  }
}

test("hostile text stays text", async () => {
  const page = await open("alice");
  const hostile = [
    "<img src=x onerror=\"document.title='broken'\">", "<script>document.title='broken'</script>", "javascript:alert(1)",
    "[x](javascript:alert(1)) https://example.org/?q=<b>\"'>", "data:text/html,<script>1</script>",
    "שלום עולם וגם english", "x".repeat(4000), "W".repeat(300) + " https://example.org/" + "y".repeat(600), "&lt;b&gt; &amp;", "e\u0301\u0302\u0303",
  ];
  for (const text of hostile) fake.say("lobby", "mallory", text);
  fake.say("lobby", "<b>mallory</b>", "a name");
  await message(page, "a name").waitFor();
  assert.deepEqual(await page.locator(".message .text").allTextContents(), [...hostile, "a name"]);
  assert.equal(await page.locator(".rows :is(img, script, b)").count(), 0);
  const links = await page.locator(".rows a").evaluateAll((all) => all.map((a) => [a.protocol, a.rel, a.target]));
  assert.equal(links.length, 2);
  for (const link of links) assert.deepEqual(link, ["https:", "noopener noreferrer", "_blank"]);
  assert.deepEqual(await fits(page), []);
  await page.setViewportSize({ width: 320, height: 640 });
  assert.deepEqual(await fits(page), []);
});

test("the newest message is followed only while one is at the end", async () => {
  const page = await open("alice");
  for (let i = 0; i < 60; i += 1) fake.say("lobby", "bob", `line ${i}`);
  await message(page, "line 59").waitFor();
  const timeline = page.locator("#timeline");
  const atEnd = () => page.waitForFunction(() => {
    const element = document.getElementById("timeline");
    return element.scrollHeight - element.scrollTop - element.clientHeight < 2;
  });
  await atEnd();
  await timeline.hover();
  await page.mouse.wheel(0, -600);
  const jump = page.locator("#jump");
  await jump.filter({ hasText: "Newest messages" }).waitFor();
  const read = await timeline.evaluate((element) => element.scrollTop);
  for (let i = 0; i < 3; i += 1) fake.say("lobby", "bob", `new ${i}`);
  await jump.filter({ hasText: "3 new messages" }).waitFor();
  assert.equal(await timeline.evaluate((element) => element.scrollTop), read);
  await jump.click();
  await jump.waitFor({ state: "hidden" });
  await atEnd();
  fake.say("lobby", "bob", "followed");
  await message(page, "followed").waitFor();
  await atEnd();
});

test("the timeline's rows have a bound while one follows", async () => {
  const page = await open("alice");
  for (let i = 0; i < 3500; i += 1) fake.say("lobby", "bob", `line ${i}`);
  await message(page, "line 3499").waitFor();
  assert.ok(await page.locator(".message").count() <= 3000);
});

test("one live region tells what is new, in few words", async () => {
  const page = await open("alice");
  const region = page.locator("#announcer");
  assert.equal(await page.locator("[aria-live], [role=status], [role=alert], [role=log]").count(), 1);
  await region.filter({ hasText: "Connected." }).waitFor({ state: "attached" });
  fake.say("lobby", "bob", "hello there");
  await region.filter({ hasText: /^bob: hello there$/ }).waitFor({ state: "attached" });
  await region.evaluate((element) => {
    window.told = [];
    new MutationObserver(() => window.told.push(element.textContent)).observe(element, { childList: true, characterData: true, subtree: true });
  });
  for (let i = 1; i <= 8; i += 1) fake.say("lobby", "bob", `line ${i}`);
  await region.filter({ hasText: /bob: line 8$/ }).waitFor({ state: "attached" });
  // A slow machine may need more than one sentence for what comes at once, but never eight.
  const told = await page.evaluate(() => window.told);
  assert.ok(told.length < 8, told.join(" / "));
  if (told.length === 1) assert.equal(told[0], "8 new messages. The last: bob: line 8");
  await write(page, "my own words");
  await write(page, "/nonsense");
  await region.filter({ hasText: "Unknown command /nonsense" }).waitFor({ state: "attached" });
  assert.doesNotMatch(await region.textContent(), /my own words/);
  for (const peer of fake.peers) peer.socket.terminate();
  await region.filter({ hasText: /Connect/ }).waitFor({ state: "attached" });
});

test("a whole conversation by keyboard alone", async () => {
  fake.room("dev");
  const page = await open();
  const { keyboard } = page;
  const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);
  await page.waitForFunction(() => document.activeElement?.id === "login-nick");
  await keyboard.type("alice");
  await keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "composer-text");
  await keyboard.type("typed");
  await keyboard.press("Enter");
  await message(page, "typed").waitFor();
  await keyboard.press("ArrowUp");
  await page.getByText("Editing your message").waitFor();
  assert.equal(await page.locator("#composer-text").inputValue(), "typed");
  await keyboard.press("Escape");
  await page.getByText("Editing your message").waitFor({ state: "hidden" });
  assert.equal(await page.locator("#composer-text").inputValue(), "");
  await keyboard.type("one");
  await keyboard.press("Shift+Enter");
  await keyboard.type("two");
  await keyboard.press("Enter");
  await message(page, "two").waitFor();
  assert.deepEqual(await page.locator(".message .text").allTextContents(), ["typed", "one", "two"]);
  // A room, found and gone to.
  await keyboard.press("Control+k");
  await page.waitForFunction(() => document.activeElement?.id === "directory-name");
  await page.locator("#directory-list button", { hasText: "dev" }).waitFor();
  await keyboard.type("de");
  await page.locator("#directory-list button", { hasText: "lobby" }).waitFor({ state: "detached" });
  await keyboard.press("ArrowDown");
  assert.match(await focused(), /dev/);
  await keyboard.press("Enter");
  await page.locator("#room-title", { hasText: "dev" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "composer-text");
  await keyboard.press("Alt+ArrowUp");
  await page.locator("#room-title", { hasText: "lobby" }).waitFor();
  // The list of rooms is one stop; the arrows go on.
  await page.locator("#room-list button").first().focus();
  await keyboard.press("ArrowDown");
  assert.match(await focused(), /dev/);
  await keyboard.press("Home");
  assert.match(await focused(), /lobby/);
  await keyboard.press("Tab");
  assert.doesNotMatch(await focused(), /dev/);
  // Whoever types means to write; Escape closes, and leads back to the field.
  await keyboard.type("w");
  assert.equal(await focused(), "composer-text");
  assert.equal(await page.locator("#composer-text").inputValue(), "w");
  await keyboard.press("Control+k");
  await page.locator("#directory[open]").waitFor();
  await keyboard.press("Escape");
  await page.locator("#directory[open]").waitFor({ state: "detached" });
  // The skip link is the first stop.
  await page.evaluate(() => { document.activeElement.blur(); document.getSelection()?.removeAllRanges(); });
  await page.locator(".skip").focus();
  await keyboard.press("Enter");
  assert.equal(await focused(), "composer-text");
});

test("a text that is too long, and too many lines, are refused before they are sent", async () => {
  const page = await open("alice");
  await write(page, "é".repeat(2049));
  await page.getByText("A message has at most 4,096 bytes; this has 4,098. Split it.").waitFor();
  await page.locator("#composer-text").fill(Array.from({ length: 51 }, (_, i) => `l${i}`).join("\n"));
  await page.getByText("51 lines are too many").waitFor();
  assert.equal(fake.received.filter(({ type }) => type === "send").length, 0);
});

function lively() {
  fake.room("dev");
  fake.room("garden");
  fake.say("lobby", "bob", "Good morning! The notes are at https://example.org/notes (second half).");
  fake.say("lobby", "bob", "Somebody should look at the third page.");
  fake.say("lobby", "carol", "waves", { action: true });
  for (const peer of fake.peers) {
    peer.send({ type: "presence", room: "lobby", joined: ["dave", "eve"], joined_count: 2, left: [], left_count: 0, count: 5 });
    peer.send({ type: "gap", room: "lobby", epoch: fake.epoch, after: 3, before: 9 });
    peer.send({ type: "joined", room: "@1", epoch: fake.epoch, seq: 0, count: 2, with: "carol" });
    peer.send({ type: "message", room: "@1", seq: 1, at: Date.now(), from: "carol", to: "alice", text: "psst" });
    peer.send({ type: "message", room: "lobby", seq: 9, at: Date.now(), from: "carol", text: "The last word" });
  }
}
