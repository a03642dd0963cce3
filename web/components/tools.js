/**
 * What can be done with the messages: reply, edit, withdraw. The buttons of all messages are one
 * stop for the Tab key, at the newest; ↑ and ↓ go to other messages, ← and → to other buttons.
 */

import { currentRoom } from "../model.js";
import { shown } from "../past.js";
import { messageAt } from "../rows.js";

/** @import { State } from "../model.js" */
/** @import { Dispatch } from "./view.js" */

/**
 * @param {HTMLElement} rows @param {Dispatch} dispatch @param {() => State | null} state
 * @returns {() => void} to be called when the messages have changed
 */
export function tools(rows, dispatch, state) {
  /** @type {Element | null} */
  let chosen = null;

  rows.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const button = target?.closest("button");
    const now = state();
    const key = now?.current ?? null;
    if (!button) return choose(target?.closest(".message") ?? null);
    if (!now || key === null) return;
    const { again, discard, go, tool, seq } = button.dataset;
    if (again !== undefined) dispatch({ type: "again", id: again });
    if (discard !== undefined) dispatch({ type: "discard", id: discard });
    if (go !== undefined) dispatch({ type: "go", key, seq: Number(go) });
    if (tool === undefined) return;
    choose(null);
    const room = currentRoom(now);
    const row = room && messageAt(shown(room), Number(seq));
    if (!row) return;
    if (tool === "reply") dispatch({ type: "mode", key, mode: { kind: "reply", seq: row.seq, from: row.from, text: row.text } });
    if (tool === "edit") dispatch({ type: "mode", key, mode: { kind: "edit", seq: row.seq, text: row.text } });
    if (tool === "withdraw") dispatch({ type: "withdraw", key, seq: row.seq, sure: false });
  });

  /** A finger does not hover: a tap on a message shows its buttons. @param {Element | null} message */
  function choose(message) {
    chosen?.classList.remove("chosen");
    chosen = message === chosen ? null : message;
    chosen?.classList.add("chosen");
  }

  rows.addEventListener("keydown", (event) => {
    const from = event.target instanceof Element ? event.target.closest(".tool") : null;
    if (!from || event.altKey || event.ctrlKey || event.metaKey) return;
    const to = neighbour(from, event.key);
    if (to === undefined) return;
    event.preventDefault();
    if (to instanceof HTMLElement) to.focus();
  });
  rows.addEventListener("focusin", refresh);

  function refresh() {
    const stop = rows.querySelector(".tool:focus") ?? [...rows.querySelectorAll(".tools")].at(-1)?.firstElementChild;
    const before = rows.querySelector(".tool[tabindex='0']");
    if (before === stop) return;
    before?.setAttribute("tabindex", "-1");
    stop?.setAttribute("tabindex", "0");
  }
  return refresh;
}

/** @param {Element} tool @param {string} key @returns {Element | null | undefined} `undefined`: not a key of ours */
function neighbour(tool, key) {
  switch (key) {
    case "ArrowLeft": return tool.previousElementSibling;
    case "ArrowRight": return tool.nextElementSibling;
    case "ArrowUp":
    case "ArrowDown": {
      const step = key === "ArrowUp" ? /** @type {const} */ ("previousElementSibling") : /** @type {const} */ ("nextElementSibling");
      const kind = tool.getAttribute("data-tool");
      for (let row = tool.closest("li")?.[step]; row; row = row[step]) {
        const found = row.querySelector(`.tool[data-tool="${kind}"]`) ?? row.querySelector(".tool");
        if (found) return found;
      }
      return null;
    }
    default: return undefined;
  }
}
