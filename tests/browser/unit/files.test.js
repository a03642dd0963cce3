import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const WEB = new URL("../../../web/", import.meta.url);
const read = (path) => readFileSync(new URL(path, WEB), "utf8");
const modules = readdirSync(WEB, { recursive: true }).map(String).filter((path) => path.endsWith(".js"));

test("every module is fetched at once, not one after the other", () => {
  const html = read("index.html");
  const preloaded = [...html.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, href]) => href);
  const imported = new Set(modules.flatMap((path) =>
    [...read(path).matchAll(/^import .*? from "(.*?)";/gms)].map(([, href]) => new URL(href, new URL(path, WEB)).pathname.slice(WEB.pathname.length))));
  assert.deepEqual(preloaded.sort(), [...imported].sort());
});

test("nothing parses HTML, nothing is inline, and one module touches the socket", () => {
  assert.doesNotMatch(read("index.html"), / style=| on[a-z]+=|<style|<script(?! type="module" src)/);
  for (const path of modules) {
    const code = read(path).replace(/\/\*[^]*?\*\/|\/\/.*$/gm, "");
    assert.doesNotMatch(code, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/, path);
    if (path !== "connection.js") assert.doesNotMatch(code, /WebSocket/, path);
  }
});

test("no file holds two nouns", () => {
  for (const path of modules) {
    const lines = read(path).split("\n").length;
    assert.ok(lines <= (path.startsWith("components/") ? 155 : 300), `${path} has ${lines} lines`);
  }
});
