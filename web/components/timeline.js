/**
 * The messages of the current room. It follows the newest one only while one is at the end.
 */

import { day, plural } from "../format.js";
import { currentRoom } from "../model.js";
import { shown as lookedAt } from "../past.js";
import { isNews } from "../reading.js";
import { title } from "../room.js";
import { isLoaded } from "../rows.js";
import { byId, el, setText } from "./dom.js";
import { timelineItems } from "./items.js";
import { KeyedList } from "./list.js";
import { keepingPlace } from "./scrolling.js";
import { tools } from "./tools.js";

/** @import { Room } from "../room.js" */
/** @import { State } from "../model.js" */
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
  const newer = byId("newer", HTMLButtonElement);
  const beginning = byId("beginning", HTMLElement);
  const jump = byId("jump", HTMLButtonElement);
  const jumpWords = /** @type {HTMLElement} */ (jump.querySelector("span"));
  const list = new KeyedList(rows);
  let following = true;
  let missed = 0;
  let jumped = 0;
  /** @type {State | null} */
  let state = null;
  /** @type {{ key: string, seq: number, life: number, written: string, loaded: boolean } | null} */
  let shown = null;
  const refreshTools = tools(rows, dispatch, () => state);

  const distance = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  const scrollToEnd = () => {
    following = true;
    missed = 0;
    scroller.scrollTop = scroller.scrollHeight;
  };
  const toEnd = () => {
    dispatch({ type: "present" });
    scrollToEnd();
  };
  const isPast = () => Boolean(state && currentRoom(state)?.past);
  const showJump = () => {
    jump.hidden = following && !isPast();
    setText(jumpWords, missed > 0 ? plural(missed, "new message") : "Newest messages");
  };
  /** Whoever sees the end has read it. */
  const report = () => {
    const here = following && !isPast() && shown !== null && shown.loaded;
    const key = shown?.key;
    if (state && key !== undefined && (state.endOf === key) !== here) queueMicrotask(() => dispatch({ type: "end", key, here }));
  };
  scroller.addEventListener("scroll", () => {
    const atEnd = distance() < NEAR;
    if (atEnd === following) return;
    following = atEnd;
    if (atEnd) missed = 0;
    showJump();
    report();
  }, { passive: true });
  new ResizeObserver(() => following && !isPast() && scrollToEnd()).observe(scroller);
  jump.addEventListener("click", () => {
    toEnd();
    scroller.focus();
  });
  older.addEventListener("click", () => dispatch({ type: "older" }));
  newer.addEventListener("click", () => dispatch({ type: "newer" }));

  /** @param {Room} room */
  const newMessages = (room) => {
    const before = shown?.key === room.key && shown.life === room.life ? shown.seq : Infinity;
    return room.rows.filter((row) => isNews(row, room.life, before)).length;
  };

  return {
    toEnd,
    page: (direction) => scroller.scrollBy({ top: direction * scroller.clientHeight * 0.85 }),
    render(next) {
      state = next;
      const room = currentRoom(next);
      if (!room) {
        list.render(next.formError ? [{ key: "e", parts: [next.formError], build: () => el("li", { class: "notice error" }, el("p", {}, next.formError?.message ?? "")) }] : []);
        older.hidden = newer.hidden = beginning.hidden = true;
        shown = null;
        return;
      }
      const part = lookedAt(room);
      const written = next.outbox.items.findLast(({ room: key, kind }) => key === room.key && kind === "send")?.id ?? "";
      const [loaded, entered] = [isLoaded(room), shown?.key !== room.key || !shown.loaded];
      if (entered || (written !== shown?.written && written !== "")) following = true;
      if (!following) missed += newMessages(room);
      scroller.setAttribute("aria-label", `Messages in ${title(room)}`);
      const change = () => {
        older.hidden = part.history !== "more" && part.history !== "loading";
        older.disabled = part.history === "loading" || !next.welcomed;
        setText(older, part.history === "loading" ? "Loading…" : "Show earlier messages");
        newer.hidden = part.ahead === "all";
        newer.disabled = part.ahead === "loading" || !next.welcomed;
        beginning.hidden = part.history !== "all";
        setText(beginning, room.with === null ? `This is the beginning of ${title(room)}.` : `This is the beginning of your conversation with ${title(room)}.`);
        list.render(timelineItems(part, next, day, Date.now()));
      };
      if (following) change();
      else keepingPlace(scroller, list, change);
      refreshTools();
      const newest = room.rows.findLast((row) => row.life === room.life)?.seq ?? room.seq;
      if (following && !room.past) scrollToEnd();
      if (entered && loaded) toFirstNew();
      shown = { key: room.key, seq: Math.max(newest, room.seq), life: room.life, written, loaded };
      if (next.jump !== null && next.jump.n !== jumped) goTo(part, next.jump);
      showJump();
      report();
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

  /** Shows a message once it is there; where it is gone, what stands behind it. @param {Room} part @param {NonNullable<State["jump"]>} to */
  function goTo(part, to) {
    if (to.key !== part.key || part.history === "loading" || part.ahead === "loading") return;
    jumped = to.n;
    const row = part.rows.find((one) => one.life === to.life && one.seq >= to.seq) ?? part.rows.at(-1);
    const element = row && list.element(row.key);
    if (!element) return;
    following = false;
    element.scrollIntoView({ block: "center" });
    following = distance() < NEAR && !isPast();
    for (const old of rows.querySelectorAll(".target")) old.classList.remove("target");
    element.classList.add("target");
    element.setAttribute("tabindex", "-1");
    element.focus({ preventScroll: true });
  }
}
