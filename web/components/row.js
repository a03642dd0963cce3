/**
 * One row of the timeline.
 */

import { fullTime, hue, initial, linked, moment, presenceWords, time } from "../format.js";
import { el, named } from "./dom.js";

/** @import { Outgoing } from "../outbox.js" */
/** @import { MessageRow, Row } from "../room.js" */

/** @param {Row} row @param {boolean} follows whether the author and hour are those of the row above @param {boolean} isLobby */
export function rowElement(row, follows, isLobby) {
  switch (row.kind) {
    case "message": return message(row, follows, row.mine ? "message mine" : "message");
    case "presence": return small(presenceWords(row, isLobby), row.at, "notice presence");
    case "notice": return small(row.text, row.at, row.tone === "error" ? "notice error" : "notice");
  }
}

/** @param {Pick<MessageRow, "from" | "text" | "at" | "action">} row @param {boolean} follows @param {string} className */
function message(row, follows, className) {
  const { from, at, action } = row;
  const kind = `${className}${follows ? " follows" : ""}${action ? " action" : ""}`;
  const text = el("p", { class: "text", dir: "auto" }, ...words(row.text));
  if (action) {
    text.prepend(named(from, `author ${hue(from)}`), " ");
    text.append(clock(at, "clock"));
    return el("li", { class: kind }, el("span", { class: "star", "aria-hidden": "true" }, "✱"), text);
  }
  const head = el("p", { class: follows ? "head visually-hidden" : "head" }, named(from, `author ${hue(from)}`), " ", clock(at, "clock"));
  const gutter = follows
    ? el("span", { class: "gutter", "aria-hidden": "true" }, time(at))
    : el("span", { class: `avatar ${hue(from)}`, "aria-hidden": "true" }, initial(from));
  return el("li", { class: kind }, gutter, head, text);
}

/** @param {string} text @param {number} at @param {string} className */
function small(text, at, className) {
  return el("li", { class: className }, el("p", { dir: "auto" }, text), clock(at, "clock"));
}

/** @param {number} at @param {string} className */
function clock(at, className) {
  return el("time", { class: className, datetime: moment(at).toISOString(), title: fullTime(at) }, time(at));
}

/** A text, its links live. @param {string} text */
function words(text) {
  return linked(text).map(({ text: part, href }) =>
    href === null ? part : el("a", { href, rel: "noopener noreferrer", target: "_blank" }, part));
}

/**
 * A message that the log does not have yet.
 * @param {Outgoing} item @param {boolean} follows @param {boolean} online
 */
export function outgoingElement(item, follows, online) {
  const element = message(item, follows, `message mine ${item.state === "failed" ? "failed" : "pending"}`);
  const note = el("p", { class: `note ${item.state}` }, outgoingWords(item, online));
  if (item.state === "failed") {
    note.append(" ",
      el("button", { type: "button", class: "link", "data-again": item.id }, "Send again"), " ",
      el("button", { type: "button", class: "link", "data-discard": item.id }, "Discard"));
  }
  element.append(note);
  return element;
}

/** @param {Outgoing} item @param {boolean} online */
function outgoingWords(item, online) {
  switch (item.state) {
    case "queued": return online ? "Waiting to be sent" : "Waiting for the connection";
    case "sent": return "Sending…";
    case "unsure": return online ? "Checking whether it arrived" : "Waiting for the connection";
    case "failed": return item.reason;
  }
}
