/**
 * Chromium and pages in it. Every page is watched: an error on the console, an exception or a
 * violation of the policy fails the test that closes it.
 */

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
  // What a wheel moves has moved when the page is told of it.
  "--disable-smooth-scrolling",
];
/** What the browser itself writes when a server is gone; no page can prevent it. */
const UNREACHABLE = /WebSocket connection to .* failed|net::ERR_(CONNECTION_REFUSED|INTERNET_DISCONNECTED|CONNECTION_RESET)/;

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/**
 * A window of its own, with storage of its own.
 * @param {import("playwright-core").Browser} browser
 */
export async function openWindow(browser, options = {}) {
  const { unreachable = false, ...contextOptions } = options;
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", timezoneId: "UTC", ...contextOptions });
  context.setDefaultTimeout(15_000);
  const complaints = [];
  const watch = (page) => {
    page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      if (unreachable && UNREACHABLE.test(message.text())) return;
      complaints.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  };
  context.on("page", watch);
  await context.exposeBinding("reportViolation", (_, text) => complaints.push(`policy: ${text}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  return {
    context,
    page: await context.newPage(),
    async close() {
      await context.close();
      assert.deepEqual(complaints, []);
    },
  };
}

/** Opens the page, goes in as `nick` and waits for the history: what comes before it is shown as new. */
export async function enter(page, url, nick) {
  await page.goto(url);
  await page.locator("#login-nick").fill(nick);
  await page.keyboard.press("Enter");
  await page.locator("#status-text", { hasText: /^Connected$/ }).waitFor();
  await page.locator("#beginning:not([hidden]), #older:not([hidden], :disabled)").first().waitFor({ state: "attached" });
}

/** Writes into the field and sends. */
export async function write(page, text) {
  await page.locator("#composer-text").fill(text);
  await page.locator("#composer-text").press("Enter");
}

/** The row of a message, settled. */
export function message(page, text) {
  return page.locator(".message:not(.pending):not(.failed)", { has: page.locator(".text", { hasText: text }) });
}
