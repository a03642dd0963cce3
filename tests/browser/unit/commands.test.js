import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { COMMANDS, parse, typedLines, understand } from "../../../web/commands.js";

const RUST = readFileSync(new URL("../../../protocol/src/slash.rs", import.meta.url), "utf8");

test("the page has the same commands as every other door", () => {
  const table = /pub const COMMANDS[^=]*= &\[(.*?)\n\];/s.exec(RUST)?.[1] ?? "";
  const rows = [...table.matchAll(/row\(\s*"([^"]+)",\s*&\[([^\]]*)\],\s*"([^"]*)",\s*"([^"]*)",\s*Verb::\w+,?\s*\)/g)];
  assert.ok(rows.length > 10, "the table of slash.rs was not found");
  assert.equal(rows.length, table.match(/row\(/g)?.length);
  const theirs = rows.map(([, name, aliases, args, summary]) => ({
    name, aliases: [...aliases.matchAll(/"([^"]+)"/g)].map(([, alias]) => alias), arguments: args, summary,
  }));
  assert.deepEqual(COMMANDS.map(({ verb, ...row }) => row), theirs);
});

test("a line without a slash is a message, and so is one with two", () => {
  assert.deepEqual(parse("hi there"), { kind: "say", text: "hi there", action: false });
  assert.deepEqual(parse("//etc/hosts"), { kind: "say", text: "/etc/hosts", action: false });
  assert.deepEqual(parse("/me waves at all"), { kind: "say", text: "waves at all", action: true });
});

test("every name and alias is understood", () => {
  for (const { name, aliases, arguments: args } of COMMANDS) {
    for (const word of [name, ...aliases]) {
      const intent = parse(`${word} ${args.includes("<") ? "bob some text".split(" ").slice(0, args.split(/[<[]/).length - 1).join(" ") : ""}`);
      assert.notEqual(intent.kind, "error", `${word}: ${JSON.stringify(intent)}`);
    }
  }
});

test("what refers to a message is understood", () => {
  assert.deepEqual(parse("/reply bob yes, I do"), { kind: "reply", to: "bob", text: "yes, I do" });
  assert.deepEqual(parse("/edit other words"), { kind: "edit", text: "other words" });
  assert.deepEqual(parse("/undo"), { kind: "delete" });
  assert.deepEqual(parse('/find "two words" three'), { kind: "search", words: '"two words" three' });
});

test("a wrong command says what to type", () => {
  const message = (line) => {
    const intent = parse(line);
    assert.equal(intent.kind, "error", line);
    return intent.message;
  };
  assert.equal(message("/join"), "Usage: /join <room>");
  assert.equal(message("/join a b"), "Usage: /join <room>");
  assert.equal(message("/room dev"), "Usage: /room <room> <text>");
  assert.equal(message("/dm bob"), "Usage: /dm <user> <message>");
  assert.equal(message("/history x"), "Usage: /history [number|on|off]");
  assert.equal(message("/search"), "Usage: /search <words>");
  assert.equal(message("/reply bob"), "Usage: /reply <user> <text>");
  assert.equal(message("/delete it"), "Usage: /delete");
  assert.match(message("/jion dev"), /Did you mean \/join\?/);
  assert.match(message("/usr/bin/env is missing"), /\/\/text/);
  assert.match(message(`/${"x".repeat(100_000)}`), /Unknown command/);
});

test("several lines become several messages, and none of them a command", () => {
  assert.deepEqual(typedLines("one\r\ntwo\n\n  three  \n"), ["one", "two", "  three"]);
  assert.deepEqual(understand(["/quit", "/usr"]).map((intent) => intent.kind), ["say", "say"]);
  assert.deepEqual(typedLines("\u200b \u202e"), []);
  assert.deepEqual(typedLines("\u001b[31mred\u001b[0m\tend"), ["red    end"]);
});
