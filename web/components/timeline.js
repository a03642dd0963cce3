/**
 * The messages of the current room. It follows the newest one only while one is at the end.
 */

import { day, plural } from "../format.js";
import { currentRoom } from "../model.js";
import { ROWS_AT_END, title } from "../room.js";
import { byId, el, setText } from "./dom.js";
import { KeyedList } from "./list.js";
import { timelineItems } from "./items.js";

/** @import { Room } from "../room.js" */
/** @import { Dispatch, View } from "./view.js" */

/** Nearer to the end than this is at the end, in pixels: a line and a half. */
const NEAR = 40;
/** What stays in sight above the line between read and new. */
const CONTEXT = 72;

/** @param {Dispatch} dispatch @returns {View & { toEnd: () => void, page: (direction: 1 | -1) => void }} */
export function timeline(dispatch) {
  const scroller = byId("timeline", HTMLElement);
  const rows = byId("rows", HTMLElement);
  const older = byId("older", HTMLButtonElement);
  const beginning = byId("beginning", HTMLElement);
  const jump = byId("jump", HTMLButtonElement);
  const jumpWords = /** @type {HTMLElement} */ (jump.querySelector("span"));
  const list = new KeyedList(rows);
  let following = true;
  let missed = 0;
  /** @type {{ key: string, seq: number, life: number, written: string, rows: number } | null} */
  let shown = null;

  const toEnd = () => {
    following = true;
    missed = 0;
    scroller.scrollTop = scroller.scrollHeight;
    showJump();
  };
  const showJump = () => {
    jump.hidden = following;
    setText(jumpWords, missed > 0 ? plural(missed, "new message") : "Newest messages");
  };
  scroller.addEventListener("scroll", () => {
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    if (atEnd === following) return;
    following = atEnd;
    if (atEnd) missed = 0;
    if (atEnd && shown && shown.rows > ROWS_AT_END) dispatch({ type: "at-end" });
    showJump();
  }, { passive: true });
  new ResizeObserver(() => following && toEnd()).observe(scroller);
  jump.addEventListener("click", () => {
    toEnd();
    scroller.focus();
  });
  older.addEventListener("click", () => dispatch({ type: "older" }));
  rows.addEventListener("click", (event) => {
    const { again, discard } = event.target instanceof HTMLElement ? event.target.dataset : {};
    if (again !== undefined) dispatch({ type: "again", id: again });
    if (discard !== undefined) dispatch({ type: "discard", id: discard });
  });

  /** What is read stays where it is, whatever is put above it. @param {() => void} change */
  const keepingPlace = (change) => {
    const top = scroller.getBoundingClientRect().top;
    const anchor = following ? undefined : list.find((row) => row.classList.contains("message") && row.getBoundingClientRect().bottom > top);
    /** @param {string} key */
    const bottom = (key) => list.element(key)?.getBoundingClientRect().bottom;
    const before = anchor === undefined ? undefined : bottom(anchor);
    change();
    const after = anchor === undefined ? undefined : bottom(anchor);
    if (before !== undefined && after !== undefined) scroller.scrollTop += after - before;
  };

  /** @param {Room} room */
  const newMessages = (room) => {
    if (shown?.key !== room.key || shown.life !== room.life) return 0;
    const { seq } = shown;
    return room.rows.filter((row) => row.kind === "message" && !row.mine && row.life === room.life && row.seq > seq).length;
  };

  return {
    toEnd,
    page: (direction) => scroller.scrollBy({ top: direction * scroller.clientHeight * 0.85 }),
    render(state) {
      const room = currentRoom(state);
      if (!room) {
        list.render(state.formError ? [{ key: "e", parts: [state.formError], build: () => el("li", { class: "notice error" }, el("p", {}, state.formError?.message ?? "")) }] : []);
        older.hidden = beginning.hidden = true;
        shown = null;
        return;
      }
      const written = state.outbox.items.findLast((item) => item.room === room.key)?.id ?? "";
      const entered = shown?.key !== room.key;
      if (entered || (written !== shown?.written && written !== "")) following = true;
      if (!following) missed += newMessages(room);
      scroller.setAttribute("aria-label", `Messages in ${title(room)}`);
      keepingPlace(() => {
        older.hidden = room.history !== "more" && room.history !== "loading";
        older.disabled = room.history === "loading" || !state.welcomed;
        setText(older, room.history === "loading" ? "Loading…" : "Show earlier messages");
        beginning.hidden = room.history !== "all";
        setText(beginning, room.with === null ? `This is the beginning of ${title(room)}.` : `This is the beginning of your conversation with ${title(room)}.`);
        list.render(timelineItems(room, state, day));
      });
      const newest = room.rows.findLast((row) => row.life === room.life)?.seq ?? room.seq;
      if (following) toEnd();
      if (entered) toFirstNew();
      shown = { key: room.key, seq: Math.max(newest, room.seq), life: room.life, written, rows: room.rows.length };
      showJump();
    },
  };

  /** A room with more news than fit begins with the first of them. */
  function toFirstNew() {
    const line = rows.querySelector(".news");
    if (!(line instanceof HTMLElement)) return;
    const top = line.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    if (top >= 0) return;
    scroller.scrollTop += top - CONTEXT;
    following = false;
  }
}
