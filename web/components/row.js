/**
 * One row of the timeline.
 */

import { fullTime, hue, initial, linked, moment, presenceWords, time } from "../format.js";
import { el, icon, named } from "./dom.js";

/** @import { Outgoing } from "../outbox.js" */
/** @import { MessageRow, Row } from "../rows.js" */

/**
 * @typedef {object} Look how a row is shown
 * @property {boolean} follows whether the author and hour are those of the row above
 * @property {boolean} isLobby
 * @property {MessageRow | "gone" | null} answered the message that it answers, if it is there
 * @property {Outgoing | null} change a change of it that is not in the log yet
 * @property {boolean} changeable
 * @property {boolean} live whether its number is one of the log there is
 */

/** @param {Row} row @param {Look} look @param {boolean} online */
export function rowElement(row, look, online) {
  switch (row.kind) {
    case "message": return logged(row, look, online);
    case "withdrawn": return small(`${row.from} withdrew a message.`, row.at, "notice withdrawn");
    case "presence": return small(presenceWords(row, look.isLobby), row.at, "notice presence");
    case "notice": return small(row.text, row.at, row.tone === "error" ? "notice error" : "notice");
  }
}

/** @param {MessageRow} row @param {Look} look @param {boolean} online */
function logged(row, look, online) {
  const { change } = look;
  const state = change === null ? "" : change.state === "failed" ? " failed" : " pending";
  const text = change?.kind === "edit" ? change.text : row.text;
  const element = message({ ...row, text, edited: row.edited || change?.kind === "edit" }, look, `message${row.mine ? " mine" : ""}${state}`);
  if (change) element.append(note(change, online));
  if (look.live) element.append(tools(row, look.changeable && change === null));
  return element;
}

/**
 * @param {Pick<MessageRow, "from" | "text" | "at" | "action" | "reply" | "edited">} row
 * @param {Pick<Look, "follows" | "answered" | "live">} look @param {string} className
 */
function message(row, { follows, answered, live }, className) {
  const { from, at, action, reply } = row;
  const text = el("p", { class: "text", dir: "auto" }, ...words(row.text), row.edited ? el("small", { class: "mark" }, " edited") : null);
  const quote = reply ? quoted(reply, answered, live) : null;
  const kind = `${className}${follows ? " follows" : ""}${action ? " action" : ""}`;
  if (action) {
    text.prepend(named(from, `author ${hue(from)}`), " ");
    text.append(clock(at, "clock"));
    return el("li", { class: kind }, el("span", { class: "star", "aria-hidden": "true" }, "✱"), quote, text);
  }
  const head = el("p", { class: follows ? "head visually-hidden" : "head" }, named(from, `author ${hue(from)}`), " ", clock(at, "clock"));
  const gutter = follows
    ? el("span", { class: "gutter", "aria-hidden": "true" }, time(at))
    : el("span", { class: `avatar ${hue(from)}`, "aria-hidden": "true" }, initial(from));
  return el("li", { class: kind }, gutter, head, quote, text);
}

/** What a message answers; a press goes there. @param {{ seq: number, from: string }} reply @param {Look["answered"]} answered @param {boolean} live */
function quoted(reply, answered, live) {
  const what = answered === "gone" ? "a message that was withdrawn" : answered?.text ?? "an earlier message";
  const parts = [
    icon("reply"), el("span", { class: "visually-hidden" }, "In reply to "), named(reply.from, `author ${hue(reply.from)}`),
    el("span", { class: typeof answered === "object" && answered ? "quoted" : "quoted faint", dir: "auto" }, what),
  ];
  if (!live || answered === "gone") return el("p", { class: "quote" }, ...parts);
  return el("button", { type: "button", class: "quote", "data-go": String(reply.seq), title: "Go to that message" }, ...parts);
}

/** What can be done with a message. One stop for the Tab key; the arrows go on. @param {MessageRow} row @param {boolean} changeable */
function tools(row, changeable) {
  /** @param {string} tool @param {string} label @param {string} title */
  const button = (tool, label, title) => el("button", {
    type: "button", class: "tool", tabindex: "-1", "data-tool": tool, "data-seq": String(row.seq), "aria-label": label, title,
  }, icon(tool));
  return el("div", { class: "tools" }, button("reply", `Reply to ${row.from}`, "Reply"),
    changeable ? button("edit", "Edit your message", "Edit") : null,
    changeable ? button("withdraw", "Withdraw your message", "Withdraw") : null);
}

/** @param {string} text @param {number} at @param {string} className */
function small(text, at, className) {
  return el("li", { class: className }, el("p", { dir: "auto" }, text), clock(at, "clock"));
}

/** @param {number} at @param {string} className */
export function clock(at, className) {
  return el("time", { class: className, datetime: moment(at).toISOString(), title: fullTime(at) }, time(at));
}

/** A text, its links live. @param {string} text */
function words(text) {
  return linked(text).map(({ text: part, href }) =>
    href === null ? part : el("a", { href, rel: "noopener noreferrer", target: "_blank" }, part));
}

/**
 * Something that the log does not have yet, where it is not shown with the message it changes.
 * @param {Outgoing} item @param {Pick<Look, "follows" | "answered">} look @param {boolean} online
 */
export function outgoingElement(item, look, online) {
  const element = message({ ...item, edited: item.kind === "edit" }, { ...look, live: false }, `message mine ${item.state === "failed" ? "failed" : "pending"}`);
  element.append(note(item, online));
  return element;
}

/** @param {Outgoing} item @param {boolean} online */
function note(item, online) {
  const element = el("p", { class: `note ${item.state}` }, noteWords(item, online));
  if (item.state === "failed") {
    element.append(" ",
      el("button", { type: "button", class: "link", "data-again": item.id }, item.kind === "send" ? "Send again" : "Try again"), " ",
      el("button", { type: "button", class: "link", "data-discard": item.id }, "Discard"));
  }
  return element;
}

/** @param {Outgoing} item @param {boolean} online */
function noteWords(item, online) {
  const what = item.kind === "edit" ? "Change: " : item.kind === "delete" ? "Withdrawal: " : "";
  switch (item.state) {
    case "failed": return `${what}${item.reason}`;
    case "sent": return item.kind === "send" ? "Sending…" : item.kind === "edit" ? "Changing…" : "Withdrawing…";
    default: return online ? `${what}Waiting to be sent` : `${what}Waiting for the connection`;
  }
}
