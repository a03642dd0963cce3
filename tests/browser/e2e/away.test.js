import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { startFake, stopFakes } from "../fake.js";
import { enter, launch, message, openWindow, write } from "../page.js";
import { linePeer, startServer, stopServers } from "../server.js";

let browser, window, page;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });
beforeEach(async () => {
  window = await openWindow(browser, { unreachable: true });
  ({ page } = window);
});
afterEach(async () => {
  await stopFakes();
  await stopServers();
  await window.close();
});

const texts = () => page.locator(".message .text").allTextContents();
const connected = () => page.locator("#status-text", { hasText: /^Connected$/ }).waitFor();

test("without a server a message waits, and is sent when the server is back", async () => {
  const first = await startServer();
  await enter(page, first.url, "alice");
  await write(page, "before");
  await message(page, "before").waitFor();
  await first.kill();
  await page.locator("#status-text", { hasText: /Next try in \d+\ss\./ }).waitFor();
  await write(page, "in between");
  await page.locator(".message.pending", { hasText: "in between" }).getByText("Waiting for the connection").waitFor();
  const second = await startServer({ http: first.http });
  const bob = await linePeer(second, "bob");
  await page.getByRole("button", { name: "Try now" }).click({ timeout: 3_000 }).catch(() => {});
  await connected();
  await bob.until("alice: in between");
  await message(page, "in between").waitFor();
  assert.deepEqual((await texts()).filter((text) => text === "in between"), ["in between"]);
  await page.locator(".notice", { hasText: "begins anew here" }).waitFor();
  await bob.close();
  await second.stop();
});

test("a server that stops in peace says so, and the page comes back by itself", async () => {
  const first = await startServer();
  await enter(page, first.url, "alice");
  await first.stop();
  await page.locator("#status-text", { hasText: "going down" }).waitFor();
  const second = await startServer({ http: first.http });
  await connected();
  await second.stop();
});

test("what was missed while offline arrives, nothing twice", async () => {
  const fake = await startFake();
  await enter(page, fake.url, "alice");
  fake.say("lobby", "bob", "one");
  await message(page, "one").waitFor();
  await window.context.setOffline(true);
  for (const peer of fake.peers) peer.socket.terminate();
  await page.locator("#status-text", { hasText: "Connection lost." }).waitFor();
  fake.say("lobby", "bob", "two");
  await write(page, "from offline");
  fake.say("lobby", "bob", "three");
  await window.context.setOffline(false);
  await connected();
  await message(page, "from offline").waitFor();
  assert.deepEqual(await texts(), ["one", "two", "three", "from offline"]);
  await fake.stop();
});

test("a message that was on its way is not doubled", async () => {
  const fake = await startFake();
  await enter(page, fake.url, "alice");
  let stored = false;
  fake.intercept = (command, peer) => {
    if (command.type !== "send" || stored) return false;
    stored = true;
    // It gets into the log, but nobody learns of it.
    fake.room("lobby").members.delete("alice");
    fake.answer(command, { ...peer, send: () => {} });
    peer.socket.terminate();
    return true;
  };
  await write(page, "only once");
  await page.locator(".message:not(.pending)", { hasText: "only once" }).waitFor();
  await connected();
  await write(page, "after it");
  await message(page, "after it").waitFor();
  assert.deepEqual(await texts(), ["only once", "after it"]);
  const [first, again, last] = fake.received.filter((command) => command.type === "send").map(({ id }) => id);
  assert.equal(first, again, "it goes again under its id, and the log knows that");
  assert.notEqual(last, again);
  await fake.stop();
});

test("what the server refuses for now is sent again, in order", async () => {
  const fake = await startFake();
  let refusals = 0;
  fake.intercept = ({ type, id }, peer) => {
    if (type !== "send" || refusals >= 3) return false;
    refusals += 1;
    peer.send({ type: "error", id, code: "rate-limited", message: "Too fast.", retry_after_ms: 50 });
    return true;
  };
  await enter(page, fake.url, "alice");
  await write(page, "first\nsecond\nthird");
  await message(page, "third").waitFor();
  assert.deepEqual(await texts(), ["first", "second", "third"]);
  assert.equal(refusals, 3);
  await fake.stop();
});

test("what the server refuses for good says why and can be sent again", async () => {
  const fake = await startFake();
  let refuse = true;
  fake.intercept = ({ type, id }, peer) => {
    if (type !== "send" || !refuse) return false;
    peer.send({ type: "error", id, code: "not-a-member", message: "Not sent: join first." });
    return true;
  };
  await enter(page, fake.url, "alice");
  await write(page, "hello");
  await page.locator(".message.failed", { hasText: "Not sent: join first." }).waitFor();
  refuse = false;
  await page.getByRole("button", { name: "Send again" }).click();
  await message(page, "hello").waitFor();
  assert.equal(await page.locator(".message").count(), 1);
  await fake.stop();
});

test("what the server takes for another message is shown as failed, and sent again under another id", async () => {
  const fake = await startFake();
  let mistakes = 0;
  fake.intercept = ({ type, id }, peer) => {
    if (type !== "send" || mistakes > 0) return false;
    mistakes += 1;
    peer.send({ type: "error", id, code: "id-reused", message: "That id was another message's." });
    return true;
  };
  await enter(page, fake.url, "alice");
  await write(page, "not to be lost");
  const failed = page.locator(".message.failed", { hasText: "not to be lost" });
  await failed.getByText("took this for another message").waitFor();
  await page.reload();
  await connected();
  await failed.getByRole("button", { name: "Send again" }).click();
  await message(page, "not to be lost").waitFor();
  assert.deepEqual(await texts(), ["not to be lost"]);
  const ids = fake.received.filter(({ type }) => type === "send").map(({ id }) => id);
  assert.equal(new Set(ids).size, 2, ids.join());
});

test("to a server that does not know the page any more, only what was never sent goes by itself", async () => {
  const fake = await startFake();
  await enter(page, fake.url, "alice");
  let answering = false;
  fake.intercept = ({ type }) => type === "send" && !answering;
  await write(page, "on its way");
  await page.locator(".message.pending").waitFor();
  await window.context.setOffline(true);
  for (const peer of fake.peers) peer.socket.terminate();
  await page.locator("#status-text", { hasText: "Connection lost." }).waitFor();
  await write(page, "never sent");
  fake.people.clear();
  answering = true;
  await window.context.setOffline(false);
  await message(page, "never sent").waitFor();
  const failed = page.locator(".message.failed", { hasText: "on its way" });
  await failed.getByText("may have arrived").waitFor();
  await failed.getByRole("button", { name: "Send again" }).click();
  await message(page, "on its way").waitFor();
  assert.deepEqual(await texts(), ["never sent", "on its way"]);
});

test("a page whose place another has taken says so, and goes on here when asked", async () => {
  const fake = await startFake();
  await enter(page, fake.url, "alice");
  const client = () => fake.received.findLast(({ type }) => type === "hello").client;
  const before = client();
  for (const peer of fake.peers) {
    peer.send({ type: "disconnect", code: "replaced", message: "Another connection has taken over.", reconnect: false });
    peer.socket.close(1008);
  }
  await page.locator("#status-text", { hasText: "goes on in another tab" }).waitFor();
  await page.getByRole("button", { name: "Go on here" }).click();
  await connected();
  assert.notEqual(client(), before, "the two must not take turns");
});

test("after a reload the page waits for its own dying connection to let go of the name", async () => {
  const fake = await startFake();
  await enter(page, fake.url, "alice");
  let refusals = 0;
  fake.intercept = ({ type, id }, peer) => {
    if (type !== "hello" || refusals >= 2) return false;
    refusals += 1;
    peer.send({ type: "error", id, code: "nick-taken", message: "Taken." });
    return true;
  };
  await page.reload();
  await connected();
  assert.equal(refusals, 2);
  await fake.stop();
});
