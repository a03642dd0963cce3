import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { enter, launch, message, openWindow, write } from "../page.js";
import { linePeer, startServer, stopServers } from "../server.js";

let browser, server, windows, peers;
before(async () => { browser = await launch(); });
after(async () => { await stopServers(); await browser?.close(); });
beforeEach(async () => { [windows, peers] = [[], []]; server = await startServer({ args: ["--rate-limit", "off"] }); });
afterEach(async () => {
  for (const peer of peers) await peer.close();
  for (const window of windows) await window.close();
  await server.stop();
});

const open = async (nick, options) => {
  const window = await openWindow(browser, options);
  windows.push(window);
  if (nick) await enter(window.page, server.url, nick);
  return window.page;
};
const peer = async (nick) => {
  const one = await linePeer(server, nick);
  peers.push(one);
  return one;
};

test("a browser and a peer that speaks lines talk with each other", async () => {
  const page = await open("alice");
  const bob = await peer("bob");
  await write(page, "hello from the page");
  await bob.until("alice: hello from the page");
  bob.send("hello from the terminal", "/me waves");
  await message(page, "hello from the terminal").waitFor();
  await page.locator(".message.action .text", { hasText: "bob waves" }).waitFor();
  await write(page, "/me nods");
  await bob.until("* alice nods");
  assert.equal(await message(page, "hello from the page").count(), 1);
  await page.locator(".notice", { hasText: "bob came online." }).waitFor();
});

test("a reload keeps the nickname, the rooms and what was said", async () => {
  const page = await open("alice");
  await write(page, "said before");
  await message(page, "said before").waitFor();
  await write(page, "/create_room dev");
  await page.locator("#room-title", { hasText: "dev" }).waitFor();
  await page.reload();
  await page.locator("#status-text", { hasText: /^Connected$/ }).waitFor();
  await page.locator("#room-title", { hasText: "dev" }).waitFor();
  await page.locator("#you-button strong", { hasText: "alice" }).waitFor();
  await page.locator("#room-list button", { hasText: "lobby" }).click();
  await message(page, "said before").waitFor();
  assert.equal(await message(page, "said before").count(), 1);
});

test("a nickname that is taken or not valid is asked for again, and remembered when good", async () => {
  await open("alice");
  const page = await open();
  await page.goto(server.url);
  const [field, error] = [page.locator("#login-nick"), page.locator("#login-error")];
  // Each has words of its own: those of the one before may still be there for a moment.
  const refusals = /** @type {const} */ ([["", /^Enter/], ["alice", /taken/], ["a b", /spaces/], ["Server", /kept/]]);
  for (const [wrong, words] of refusals) {
    await field.fill(wrong);
    await field.press("Enter");
    await error.filter({ hasText: words }).waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    await page.waitForFunction(() => document.activeElement?.id === "login-nick" && !document.activeElement.readOnly);
  }
  await field.fill("bob");
  await field.press("Enter");
  await page.locator("#status-text", { hasText: /^Connected$/ }).waitFor();
  assert.equal(await page.evaluate(() => localStorage.getItem("crosstalk.nick")), "bob");
});

test("a second tab is another device of the same person, and a duplicated one, too", async () => {
  const page = await open("alice");
  const second = await page.context().newPage();
  await second.goto(server.url);
  await second.locator("#status-text", { hasText: /^Connected$/ }).waitFor();
  await second.locator("#you-button strong", { hasText: /^alice$/ }).waitFor();
  // A tab opened by a page has a copy of what the page keeps for its tab.
  const [third] = await Promise.all([page.context().waitForEvent("page"), page.evaluate(() => void open(location.href))]);
  await third.locator("#status-text", { hasText: /^Connected$/ }).waitFor();
  await write(third, "from the third tab");
  for (const tab of [page, second, third]) await message(tab, "from the third tab").waitFor();
  const clients = await Promise.all([page, second, third].map((tab) => tab.evaluate(() => sessionStorage.getItem("crosstalk.client"))));
  assert.equal(new Set(clients).size, 3);
  await page.locator("#members-heading", { hasText: "Members (1)" }).waitFor();
  await second.reload();
  await second.locator("#status-text", { hasText: /^Connected$/ }).waitFor();
  assert.equal(await second.evaluate(() => sessionStorage.getItem("crosstalk.client")), clients[1], "a reload keeps it");
  await write(second, "/quit");
  for (const tab of [page, second, third]) await tab.locator("#login-nick").waitFor();
});

test("two windows see each other come, write, change their name and go", async () => {
  const alice = await open("alice");
  const bob = await open("bob");
  await alice.locator("#member-list", { hasText: "bob" }).waitFor();
  await write(bob, "/nick robert");
  await alice.locator("#member-list", { hasText: "robert" }).waitFor();
  await alice.locator(".notice", { hasText: "bob is now known as robert." }).waitFor();
  await write(bob, "/hide");
  await alice.locator("#members-heading", { hasText: "Members (1)" }).waitFor();
  await write(bob, "/reveal");
  await alice.locator("#members-heading", { hasText: "Members (2)" }).waitFor();
  await write(bob, "/quit");
  await bob.locator("#login-nick").waitFor();
  await alice.locator("#members-heading", { hasText: "Members (1)" }).waitFor();
});

test("rooms are found, joined, marked as unread, and left", async () => {
  const alice = await open("alice");
  const bob = await peer("bob");
  bob.send("/create_room dev", "first words");
  await alice.getByRole("button", { name: "Find or create a room" }).click();
  await alice.locator("#directory-list button", { hasText: "dev" }).click();
  await alice.locator("#room-title", { hasText: "dev" }).waitFor();
  await message(alice, "first words").waitFor();
  await alice.locator("#room-list button", { hasText: "lobby" }).click();
  bob.send("are you there, alice?");
  await alice.locator("#room-list button", { hasText: "dev" }).locator(".badge.strong").waitFor();
  await alice.waitForFunction(() => document.title.startsWith("(1)"));
  await alice.locator("#room-list button", { hasText: "dev" }).click();
  await message(alice, "are you there").waitFor();
  await alice.getByRole("button", { name: "Leave dev" }).click();
  await bob.until("Server: alice left dev.");
  await alice.locator("#room-title", { hasText: "lobby" }).waitFor();
});

test("direct messages stand beside the rooms, by the other's name", async () => {
  const alice = await open("alice");
  const bob = await peer("bob");
  await alice.locator("#member-list button", { hasText: "bob" }).click();
  await alice.locator("#room-title", { hasText: "bob" }).waitFor();
  await write(alice, "psst");
  await bob.until("[DM] alice: psst");
  await message(alice, "psst").waitFor();
  await alice.locator("#room-list button", { hasText: "lobby" }).click();
  bob.send("/dm alice what is it?");
  await alice.locator("#direct-list button", { hasText: "bob" }).locator(".badge.strong").click();
  await message(alice, "what is it?").waitFor();
  await alice.reload();
  await alice.locator("#room-title", { hasText: "bob" }).waitFor();
  await write(alice, "still here");
  await bob.until("[DM] alice: still here");
  await message(alice, "still here").waitFor();
  assert.equal(await alice.locator("#direct-list button").count(), 1);
});

test("earlier messages come on demand, and what is read stays in its place", async () => {
  const bob = await peer("bob");
  const total = 120;
  // What is sent with /room comes back, and paces the peer.
  for (let i = 1; i <= total; i += 1) {
    bob.send(`/room lobby line ${i}.`);
    await bob.until(new RegExp(`line ${i}\\.$`));
  }
  const page = await open("alice");
  await message(page, `line ${total}.`).waitFor();
  assert.equal(await page.locator(".message").count(), 50);
  await page.locator("#timeline").evaluate((element) => { element.scrollTop = 0; });
  const first = message(page, "line 71.");
  const top = (await first.boundingBox()).y;
  await page.getByRole("button", { name: "Show earlier messages" }).click();
  await message(page, "line 21.").waitFor({ state: "attached" });
  assert.ok(Math.abs((await first.boundingBox()).y - top) < 60, "what was read has moved");
  await page.locator("#timeline").evaluate((element) => { element.scrollTop = 0; });
  await page.getByRole("button", { name: "Show earlier messages" }).click();
  await message(page, "line 1.").waitFor({ state: "attached" });
  await page.getByText("This is the beginning of lobby.").waitFor({ state: "attached" });
});
