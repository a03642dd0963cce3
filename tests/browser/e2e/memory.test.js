import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { enter, launch, message, openWindow, write } from "../page.js";
import { linePeer, startServer, stopServers } from "../server.js";

let browser, data, server, windows;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });
beforeEach(async () => {
  windows = [];
  data = mkdtempSync(`${tmpdir()}/crosstalk-page-`);
  server = await startServer({ data, args: ["--rate-limit", "off"] });
});
afterEach(async () => {
  for (const window of windows) await window.close();
  await stopServers();
  rmSync(data, { recursive: true, force: true });
});

const open = async (nick) => {
  const window = await openWindow(browser, { unreachable: true });
  windows.push(window);
  if (nick) await enter(window.page, server.url, nick);
  return window.page;
};
/** The link that the page gives for another device. */
const linkOf = async (page) => {
  await page.locator("#you-button").click();
  await page.getByRole("button", { name: "Use on another device" }).click();
  await page.waitForFunction(() => document.getElementById("device-link").value !== "");
  const link = await page.locator("#device-link").inputValue();
  await page.keyboard.press("Escape");
  return link;
};
/** Another device of the person whose page it is. */
const secondDevice = async (page) => {
  const link = await linkOf(page);
  const device = await open();
  await device.goto(link);
  await connected(device);
  return device;
};
const startAgain = async () => { server = await startServer({ http: server.http, data, args: ["--rate-limit", "off"] }); };
const connected = (page) => page.locator("#status-text", { hasText: /^Connected$/ }).waitFor();
const texts = (page) => page.locator(".message .text").allTextContents();
const room = (page, name) => page.locator("#room-list button", { hasText: name });
const pending = (page) => page.locator(".message:is(.pending, .failed)");

test("what is typed offline survives a reload and a closed tab, and arrives once and in order", async () => {
  const page = await open("alice");
  await write(page, "before");
  await message(page, "before").waitFor();
  await server.kill();
  await page.locator("#status-text", { hasText: "Next try in" }).waitFor();
  await write(page, "one");
  await write(page, "two");
  await pending(page).nth(1).waitFor();
  const other = await page.context().newPage();
  await startAgain();
  await page.close();
  await other.goto(server.url);
  await connected(other);
  await message(other, "two").waitFor();
  await other.reload();
  await message(other, "two").waitFor();
  assert.deepEqual(await texts(other), ["before", "one", "two"]);
  assert.equal(await pending(other).count(), 0);
});

test("the server is killed again and again while one types: nothing is lost or doubled", async () => {
  const page = await open("alice");
  const expected = [];
  for (let round = 0; round < 6; round += 1) {
    for (let i = 0; i < 8; i += 1) {
      const text = `message ${round}.${i}`;
      expected.push(text);
      await write(page, text);
      if (i === 3) await server.kill();
    }
    if (round === 2) {
      // The page can only be loaded from a server that is there; what waits is what was typed meanwhile.
      await startAgain();
      await page.reload();
    } else {
      await startAgain();
      await page.getByRole("button", { name: "Try now" }).click({ timeout: 1_000 }).catch(() => {});
    }
    await connected(page);
  }
  await message(page, expected.at(-1)).waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".message.pending, .message.failed").length === 0);
  await page.reload();
  await message(page, expected.at(-1)).waitFor();
  assert.deepEqual(await texts(page), expected);
});

test("what is read on one device is read on the other, and the line stands where reading had ended", async () => {
  const page = await open("alice");
  await write(page, "/create_room dev");
  await page.locator("#room-title", { hasText: "dev" }).waitFor();
  await write(page, "begun");
  await message(page, "begun").waitFor();
  const device = await secondDevice(page);
  await room(device, "lobby").click();
  await room(page, "lobby").click();
  const bob = await linePeer(server, "bob");
  bob.send("/join dev", "first", "second");
  for (const one of [page, device]) await room(one, "dev").locator(".badge", { hasText: "2" }).waitFor();
  await device.waitForFunction(() => document.title.startsWith("(2)"));
  await room(page, "dev").click();
  await page.locator(".news", { hasText: "2 new messages" }).waitFor();
  assert.deepEqual(await page.locator(".news + .message .text").allTextContents(), ["first"]);
  await room(device, "dev").locator(".badge").waitFor({ state: "detached" });
  // Without anybody there, the server keeps count.
  await page.close();
  await device.close();
  bob.send("third", "fourth", "fifth");
  await bob.until(/.*/);
  const later = await windows[1].context.newPage();
  await later.goto(server.url);
  await room(later, "dev").locator(".badge", { hasText: "3" }).waitFor();
  await room(later, "dev").click();
  await later.locator(".news", { hasText: "3 new messages" }).waitFor();
  assert.deepEqual(await later.locator(".news + .message .text").allTextContents(), ["third"]);
  await room(later, "dev").locator(".badge").waitFor({ state: "detached" });
  await bob.close();
});

test("a page whose place another takes stays away, keeps what is written, and goes on when asked", async () => {
  const page = await open("alice");
  const storages = await page.evaluate(() => [{ ...localStorage }, { ...sessionStorage }]);
  const copy = await open();
  await copy.addInitScript(([local, session]) => {
    if (sessionStorage.length > 0) return;
    Object.assign(localStorage, local);
    Object.assign(sessionStorage, session);
  }, storages);
  await copy.goto(server.url);
  await connected(copy);
  const away = page.locator("#status-text", { hasText: "goes on in another tab or window" });
  await away.waitFor();
  await write(page, "written here");
  await page.locator(".message.pending", { hasText: "written here" }).waitFor();
  // Neither waking up nor a network that is back takes the place again.
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await write(copy, "written there");
  await message(copy, "written there").waitFor();
  await away.waitFor();
  assert.deepEqual(await texts(page), ["written here"]);
  await page.getByRole("button", { name: "Go on here" }).click();
  for (const one of [page, copy]) {
    await message(one, "written here").waitFor();
    await connected(one);
    assert.deepEqual(await texts(one), ["written there", "written here"]);
  }
});

test("one's own messages are known under another nickname, and another's under one's own", async () => {
  const other = await linePeer(server, "alice");
  other.send("/room lobby by another alice");
  await other.until("alice: by another alice");
  other.send("/nick somebody");
  await other.until("You are now somebody.");
  const page = await open("alice");
  const editable = (text) => message(page, text).getByRole("button", { name: "Edit your message" });
  await write(page, "by this alice");
  await message(page, "by this alice").waitFor();
  assert.equal(await editable("by another alice").count(), 0);
  await write(page, "/nick alicia");
  await page.locator("#you-button", { hasText: "alicia" }).waitFor();
  for (const again of [false, true]) {
    if (again) await page.reload();
    await message(page, "by this alice").waitFor();
    assert.equal(await editable("by another alice").count(), 0, `reloaded: ${again}`);
    assert.equal(await editable("by this alice").count(), 1, `reloaded: ${again}`);
  }
  await page.locator("#composer-text").press("ArrowUp");
  await page.getByText("Editing your message").waitFor();
  await write(page, "by this person");
  await message(page, "by this person").locator(".mark", { hasText: "edited" }).waitFor();
  await other.until("Server: alicia changed a message to: by this person");
  await other.close();
});

test("a message is answered, changed and withdrawn, for everybody", async () => {
  const alice = await open("alice");
  const bob = await open("bob");
  await write(bob, "where is the cable?");
  const question = message(alice, "where is the cable?");
  await question.hover();
  await question.getByRole("button", { name: "Reply to bob" }).click();
  await alice.getByText("Reply to bob: where is the cable?").waitFor();
  await write(alice, "in teh drawer");
  await message(bob, "in teh drawer").locator(".quote", { hasText: "where is the cable?" }).waitFor();
  await alice.locator("#composer-text").press("ArrowUp");
  await alice.getByText("Editing your message").waitFor();
  await write(alice, "in the drawer");
  await message(bob, "in the drawer").locator(".mark", { hasText: "edited" }).waitFor();
  await message(alice, "in the drawer").waitFor();
  assert.equal(await message(bob, "teh").count(), 0);
  assert.equal(await bob.getByRole("button", { name: "Edit your message" }).count(), 1, "only one's own");
  await message(alice, "in the drawer").hover();
  await message(alice, "in the drawer").getByRole("button", { name: "Withdraw your message" }).click();
  await alice.locator("#question[open]").getByText("in the drawer").waitFor();
  await alice.locator("#question-yes").click();
  for (const page of [alice, bob]) {
    await page.locator(".notice", { hasText: "alice withdrew a message." }).waitFor();
    assert.deepEqual(await texts(page), ["where is the cable?"]);
  }
  await bob.reload();
  await message(bob, "where is the cable?").waitFor();
  assert.deepEqual(await texts(bob), ["where is the cable?"]);
});

test("a change that was made offline arrives when there is a connection", async () => {
  const page = await open("alice");
  await write(page, "first words");
  await message(page, "first words").waitFor();
  await server.kill();
  await page.locator("#status-text", { hasText: "Next try in" }).waitFor();
  await write(page, "/edit other words");
  await page.locator(".message.pending", { hasText: "other words" }).getByText("Waiting for the connection").waitFor();
  await startAgain();
  await page.reload();
  await message(page, "other words").waitFor();
  assert.equal(await page.locator(".message").count(), 1);
});

test("a search leads to a hit in its place, and from there back to the newest messages", async () => {
  const bob = await linePeer(server, "bob");
  const total = 160;
  for (let i = 1; i <= total; i += 1) {
    bob.send(`/room lobby ${i === 20 ? "the Café is behind the station" : `line ${i}.`}`);
    await bob.until(i === 20 ? /Café/ : new RegExp(`line ${i}\\.$`));
  }
  const page = await open("alice");
  await message(page, `line ${total}.`).waitFor();
  await page.keyboard.press("Control+Shift+F");
  await page.waitForFunction(() => document.activeElement?.id === "search-words");
  await page.keyboard.type("station cafe");
  await page.keyboard.press("Enter");
  const hit = page.locator(".hit");
  await hit.waitFor();
  assert.deepEqual(await hit.locator("mark").allTextContents(), ["Café", "station"]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".message.target", { hasText: "Café" }).waitFor();
  await message(page, "line 19.").waitFor();
  await message(page, "line 21.").waitFor();
  assert.equal(await message(page, `line ${total}.`).count(), 0);
  bob.send("/room lobby something new");
  await page.locator("#jump", { hasText: "1 new message" }).waitFor();
  await page.getByRole("button", { name: "Show later messages" }).click();
  await message(page, "line 95.").waitFor({ state: "attached" });
  await page.locator("#jump").click();
  await message(page, "something new").waitFor();
  assert.equal(await page.locator("#jump").isVisible(), false);
  assert.equal(await message(page, "line 21.").count(), 0);
  // From the terminal's command, and with nothing found.
  await write(page, "/search no such words");
  await page.getByText("Nothing found for no such words.").waitFor();
  await bob.close();
});

test("a link makes another device the same person, and leaves the address bar", async () => {
  const page = await open("alice");
  await write(page, "from the first");
  const device = await secondDevice(page);
  assert.equal(new URL(device.url()).hash, "");
  await device.locator("#you-button strong", { hasText: /^alice$/ }).waitFor();
  await write(device, "from the second");
  await message(page, "from the second").waitFor();
  assert.equal(await page.locator(".message.mine").count(), 2);
  await page.locator("#members-heading", { hasText: "Members (1)" }).waitFor();
  await write(device, "/nick alicia");
  await page.locator("#you-button strong", { hasText: "alicia" }).waitFor();
  // Where somebody else is already, it asks.
  const bob = await open("bob");
  await bob.goto(await linkOf(page));
  await bob.getByText("This link makes you alicia in this browser, where you were bob. To stay who you are, reload the page.").waitFor();
  await bob.locator("#login-submit").click();
  await connected(bob);
  await bob.locator("#you-button strong", { hasText: "alicia" }).waitFor();
});

test("what a closed tab has left to be sent goes out from another one, once", async () => {
  const page = await open("alice");
  const other = await page.context().newPage();
  await other.goto(server.url);
  await connected(other);
  await server.kill();
  await page.locator("#status-text", { hasText: "Next try in" }).waitFor();
  await write(page, "left behind");
  await pending(page).waitFor();
  await write(other, "my own");
  await page.close();
  await startAgain();
  await other.getByRole("button", { name: "Try now" }).click({ timeout: 1_000 }).catch(() => {});
  await message(other, "left behind").waitFor();
  await message(other, "my own").waitFor();
  assert.equal(await other.locator(".message").count(), 2);
  await other.reload();
  await message(other, "left behind").waitFor();
  assert.equal(await pending(other).count(), 0);
});

test("over plain HTTP, where tabs hold no locks, they ask each other", async () => {
  const page = await open();
  await page.context().addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));
  await enter(page, server.url, "alice");
  const [copy] = await Promise.all([page.context().waitForEvent("page"), page.evaluate(() => void open(location.href))]);
  await connected(copy);
  await page.reload();
  await connected(page);
  const clients = await Promise.all([page, copy].map((tab) => tab.evaluate(() => sessionStorage.getItem("crosstalk.client"))));
  assert.notEqual(clients[0], clients[1]);
  await write(copy, "from the copy");
  await message(page, "from the copy").waitFor();
});

test("a browser that keeps nothing says nothing, and works", async () => {
  const page = await open();
  await page.context().addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
      Object.defineProperty(window, name, { get() { throw new DOMException("The operation is insecure.", "SecurityError"); } });
    }
  });
  await enter(page, server.url, "alice");
  await write(page, "before");
  await message(page, "before").waitFor();
  await server.kill();
  await page.locator("#status-text", { hasText: "Next try in" }).waitFor();
  await write(page, "in between");
  await startAgain();
  await page.getByRole("button", { name: "Try now" }).click({ timeout: 1_000 }).catch(() => {});
  await message(page, "in between").waitFor();
  assert.deepEqual(await texts(page), ["before", "in between"]);
});
