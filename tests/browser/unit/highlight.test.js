import assert from "node:assert/strict";
import { test } from "node:test";
import { snippet, terms } from "../../../web/highlight.js";

const marked = (text, words) => snippet(text, words).map((part) => (part.hit ? `[${part.text}]` : part.text)).join("");

test("words are marked, whatever their case and accents, and only whole", () => {
  assert.equal(marked("The Café and the decaf", "cafe THE"), "[The] [Café] and [the] decaf");
  assert.equal(marked("Cafe\u0301 noir", "café"), "[Cafe\u0301] noir");
  assert.equal(marked("a cat, a catalogue", "cat"), "a [cat], a catalogue");
});

test("a phrase is marked as one, and only in its order", () => {
  assert.equal(marked("big cats and a big, fat cat", '"big fat" cat'), "big cats and a [big, fat] [cat]");
  assert.deepEqual(terms('"open quote'), [["open", "quote"]]);
  assert.deepEqual(terms('"" .* ('), []);
});

test("words of scripts without spaces are found inside longer ones", () => {
  assert.equal(marked("今日は東京都です", "東京"), "今日は[東京]都です");
});

test("a long text is cut round its first hit, and nothing but the ends is lost", () => {
  const text = `${"word ".repeat(100)}needle ${"tail ".repeat(100)}`;
  const shown = marked(text, "needle");
  assert.ok(shown.startsWith("…word") && shown.endsWith("…") && shown.includes("[needle]") && shown.length < 200, shown);
  assert.doesNotMatch(marked(`${"😀".repeat(300)} needle`, "needle"), /^…[\udc00-\udfff]/);
});

test("no words and no text break anything", () => {
  for (const words of ["", "\\", "(", "[a-", "\ud800", '"', "a".repeat(512)]) {
    for (const text of ["", "x", "İstanbul ﬁn ß", "\ud800"]) assert.equal(snippet(text, words).map((part) => part.text).join(""), text);
  }
});
