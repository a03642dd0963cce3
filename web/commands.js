/**
 * The commands that people type. The names are those of every other door: the table is that of
 * `protocol/src/slash.rs`, and a test compares the two.
 *
 * `parse` turns a typed line into an intent, and knows nothing of rooms, sockets or the page.
 */

/**
 * @typedef {{ name: string, aliases: string[], arguments: string, summary: string, verb: Verb }} Slash
 * @typedef {"help" | "members" | "rooms" | "create" | "join" | "leave" | "room" | "broadcast" | "dm" | "me" | "reply" | "edit" | "delete" | "nick" | "hide" | "reveal" | "history" | "search" | "quit"} Verb
 *
 * @typedef {{ kind: "say", text: string, action: boolean }
 *   | { kind: "say-in", room: string, text: string }
 *   | { kind: "broadcast", text: string }
 *   | { kind: "dm", to: string, text: string }
 *   | { kind: "help" } | { kind: "quit" }
 *   | { kind: "members", room: string, after: string }
 *   | { kind: "rooms", after: string }
 *   | { kind: "create", room: string } | { kind: "join", room: string } | { kind: "leave", room: string }
 *   | { kind: "nick", nick: string }
 *   | { kind: "hide", nick: string } | { kind: "reveal", nick: string }
 *   | { kind: "reply", to: string, text: string }
 *   | { kind: "edit", text: string } | { kind: "delete" }
 *   | { kind: "search", words: string }
 *   | { kind: "history", count: number }
 *   | { kind: "error", message: string }} Intent
 */

/** Every command, in the order of `/help`. @type {readonly Slash[]} */
export const COMMANDS = [
  row("/help", ["/?"], "", "this list", "help"),
  row("/members", ["/who"], "[room] [after nick]", "who is online, or in a room", "members"),
  row("/get_rooms", ["/rooms"], "[after room]", "the rooms there are", "rooms"),
  row("/create_room", ["/create"], "<room>", "create a room and go there", "create"),
  row("/join", [], "<room>", "go to a room; lines you type go there", "join"),
  row("/leave", [], "[room]", "leave a room", "leave"),
  row("/room", [], "<room> <text>", "send to a room you are in", "room"),
  row("/broadcast", [], "[text]", "send to the lobby", "broadcast"),
  row("/dm", ["/msg"], "<user> <message>", "send to one person", "dm"),
  row("/me", [], "<text>", "say what you do", "me"),
  row("/reply", [], "<user> <text>", "answer their last message", "reply"),
  row("/edit", [], "<text>", "say your last message in other words", "edit"),
  row("/delete", ["/undo"], "", "withdraw your last message", "delete"),
  row("/nick", [], "<nick>", "take another nickname", "nick"),
  row("/hide", [], "[your nick]", "go out of sight", "hide"),
  row("/reveal", [], "[your nick]", "come back into sight", "reveal"),
  row("/history", [], "[number|on|off]", "the last messages; off: none on joining", "history"),
  row("/search", ["/find"], "<words>", "find messages in the room you are in", "search"),
  row("/quit", ["/exit"], "", "leave", "quit"),
];

/** @param {string} name @param {string[]} aliases @param {string} args @param {string} summary @param {Verb} verb @returns {Slash} */
function row(name, aliases, args, summary, verb) {
  return { name, aliases, arguments: args, summary, verb };
}

/**
 * Understands one typed line. A line that begins with `//` is a message that begins with `/`.
 * @param {string} line
 * @returns {Intent}
 */
export function parse(line) {
  if (!line.startsWith("/")) return { kind: "say", text: line, action: false };
  if (line.startsWith("//")) return { kind: "say", text: line.slice(1), action: false };
  const [word, rest] = splitWord(line);
  const slash = find(word);
  if (!slash) return unknown(word);
  return READERS[slash.verb](rest) ?? usage(slash);
}

/** What follows the name, understood; `null` is a wrong use. @type {Record<Verb, (rest: string) => Intent | null>} */
const READERS = {
  help: () => ({ kind: "help" }),
  quit: (rest) => (rest === "" ? { kind: "quit" } : null),
  members: (rest) => {
    const [room, after] = splitWord(rest);
    return { kind: "members", room, after };
  },
  rooms: (after) => ({ kind: "rooms", after }),
  create: (rest) => (isOneWord(rest) ? { kind: "create", room: rest } : null),
  join: (rest) => (isOneWord(rest) ? { kind: "join", room: rest } : null),
  leave: (room) => ({ kind: "leave", room }),
  room: (rest) => {
    const [room, text] = splitWord(rest);
    return text ? { kind: "say-in", room, text } : null;
  },
  broadcast: (text) => ({ kind: "broadcast", text }),
  dm: (rest) => {
    const [to, text] = splitWord(rest);
    return text ? { kind: "dm", to, text } : null;
  },
  me: (text) => (text ? { kind: "say", text, action: true } : null),
  reply: (rest) => {
    const [to, text] = splitWord(rest);
    return text ? { kind: "reply", to, text } : null;
  },
  edit: (text) => (text ? { kind: "edit", text } : null),
  delete: (rest) => (rest === "" ? { kind: "delete" } : null),
  search: (words) => (words ? { kind: "search", words } : null),
  nick: (rest) => (isOneWord(rest) ? { kind: "nick", nick: rest } : null),
  hide: (nick) => ({ kind: "hide", nick }),
  reveal: (nick) => ({ kind: "reveal", nick }),
  history: (rest) => {
    if (rest === "") return { kind: "history", count: 50 };
    if (rest === "on" || rest === "off") return { kind: "error", message: "That is for plain lines; here, a room always begins with its last messages." };
    return /^[1-9]\d{0,8}$/.test(rest) ? { kind: "history", count: Number(rest) } : null;
  },
};

/** The row of a name or alias. @param {string} word */
export function find(word) {
  return COMMANDS.find((slash) => slash.name === word || slash.aliases.includes(word));
}

/** @param {Slash} slash @returns {Intent} */
function usage(slash) {
  return { kind: "error", message: `Usage: ${slash.name} ${slash.arguments}`.trimEnd() };
}

/** @param {string} word @returns {Intent} */
function unknown(word) {
  const names = COMMANDS.flatMap((slash) => [slash.name, ...slash.aliases]);
  const [distance, nearest] = names
    .map((name) => /** @type {const} */ ([editDistance(word.slice(0, 40), name), name]))
    .reduce((best, next) => (next[0] < best[0] ? next : best));
  const shown = word.slice(0, 40);
  const message = distance <= nearest.length / 2
    ? `Unknown command ${shown}. Did you mean ${nearest}? /help lists them all.`
    : `Unknown command ${shown}. /help lists them all; //text sends a text that begins with a slash.`;
  return { kind: "error", message };
}

/** @param {string} line @returns {[string, string]} */
function splitWord(line) {
  const [word = ""] = /^\S*/.exec(line) ?? [];
  return [word, line.slice(word.length).trim()];
}

/** @param {string} rest */
function isOneWord(rest) {
  return /^\S+$/.test(rest);
}

/** How many letters to insert, delete, replace or swap with a neighbour. @param {string} a @param {string} b */
function editDistance(a, b) {
  /** @type {number[][]} */
  const table = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 1; j <= b.length; j += 1) table[0][j] = j;
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = table[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(table[i - 1][j] + 1, table[i][j - 1] + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, table[i - 2][j - 2] + 1);
      table[i][j] = best;
    }
  }
  return table[a.length][b.length];
}

/** Messages that one paste may become. */
export const LINES_MAX = 50;

/**
 * What somebody typed or pasted, line by line: each line is a message of its own, since a message
 * has one line on every door. What would never show is taken out, as the server does.
 * @param {string} input
 */
export function typedLines(input) {
  return input
    .split(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/)
    .map((line) => line.replace(/\t/g, "    ").replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, "").replace(/[\u0000-\u001f\u007f-\u009f]/g, "").trimEnd())
    .filter((line) => /[^\p{C}\p{Z}\p{M}]/u.test(line));
}

/**
 * What is meant by it. Only a single line can be a command: pasted paths are no commands.
 * @param {string[]} lines
 * @returns {Intent[]}
 */
export function understand(lines) {
  return lines.length === 1 ? [parse(lines[0].trimStart().startsWith("/") ? lines[0].trimStart() : lines[0])] : lines.map((text) => ({ kind: "say", text, action: false }));
}
