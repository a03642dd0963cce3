import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { enter, launch, message, openWindow, write } from "../page.js";
import { startProxy } from "../proxy.js";
import { linePeer, startServer, stopServers } from "../server.js";

let browser, data, proxy, server, window;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });
beforeEach(async () => {
  data = mkdtempSync(`${tmpdir()}/crosstalk-flaky-`);
  server = await startServer({ data, args: ["--rate-limit", "off"] });
  proxy = await startProxy(server.http);
});
afterEach(async () => {
  await window?.close();
  await proxy.stop();
  await stopServers();
  rmSync(data, { recursive: true, force: true });
});

/** Clicks away the wait between two attempts, if the page waits. */
const tryNow = (page) => page.getByRole("button", { name: "Try now" }).click({ timeout: 200 }).catch(() => {});

/** The page is connected, as far as it knows. */
const connected = async (page) => {
  const status = page.locator("#status-text", { hasText: /^Connected$/ });
  while (!(await status.isVisible())) await tryNow(page);
};

/** What is wanted comes while nobody waits between two attempts: the page may notice a cut late. */
const impatiently = async (page, wanted) => {
  let here = false;
  const come = wanted.finally(() => { here = true; });
  while (!here) await tryNow(page);
  return come;
};

test("over a link that breaks all the time the page loses and doubles nothing", async () => {
  window = await openWindow(browser, { unreachable: true });
  const { page } = window;
  await enter(page, proxy.url, "alice");
  const bob = await linePeer(server, "bob");
  const carol = await linePeer(server, "carol");
  proxy.flaky();
  for (let round = 0; round < 20; round += 1) {
    await write(page, `alice says ${round}`);
    bob.send(`bob says ${round}.1`, `bob says ${round}.2`);
    proxy.cut();
    await write(page, `alice adds ${round}`);
    await connected(page);
  }
  proxy.calm();
  proxy.cut();
  await impatiently(page, carol.until("alice: alice adds 19"));
  await carol.until("bob: bob says 19.2");
  const said = carol.lines.filter((line) => /^(alice|bob): /.test(line)).map((line) => line.replace(/^\w+: /, ""));
  const by = (who) => said.filter((text) => text.startsWith(who));
  assert.deepEqual(by("alice"), Array.from({ length: 20 }, (_, i) => [`alice says ${i}`, `alice adds ${i}`]).flat());
  assert.deepEqual(by("bob"), Array.from({ length: 20 }, (_, i) => [`bob says ${i}.1`, `bob says ${i}.2`]).flat());
  await impatiently(page, message(page, said.at(-1)).waitFor());
  await page.waitForFunction(() => document.querySelectorAll(".message.pending, .message.failed").length === 0);
  assert.deepEqual(await page.locator(".message .text").allTextContents(), said);
  const breaks = await proxy.breaks();
  assert.ok(breaks >= 20, `the link broke only ${breaks} times`);
});
