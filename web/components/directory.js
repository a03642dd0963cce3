/**
 * The public rooms: find one, join one, create one.
 */

import { plural } from "../format.js";
import { fold } from "../protocol.js";
import { byId, el, named, setError, setText } from "./dom.js";
import { KeyedList, roving } from "./list.js";

/** @import { RoomSummary } from "../protocol.js" */
/** @import { State } from "../model.js" */
/** @import { Dispatch, View } from "./view.js" */

/** @param {Dispatch} dispatch @returns {View} */
export function directory(dispatch) {
  const form = byId("directory-form", HTMLFormElement);
  const field = byId("directory-name", HTMLInputElement);
  const submit = byId("directory-submit", HTMLButtonElement);
  const error = byId("directory-error", HTMLElement);
  const element = byId("directory-list", HTMLElement);
  const empty = byId("directory-empty", HTMLElement);
  const more = byId("directory-more", HTMLButtonElement);
  const list = new KeyedList(element);
  const refresh = roving(element);
  /** @type {State | null} */
  let last = null;
  let shown = false;

  const exact = () => {
    const wanted = fold(field.value);
    return last?.directory.rows.find((row) => fold(row.room) === wanted);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const room = field.value.trim();
    if (room === "") setError(field, error, "Enter a room’s name.");
    else if (!last?.welcomed) setError(field, error, "There is no connection at the moment.");
    else dispatch({ type: "enter", how: exact() ? "join" : "create", room });
  });
  field.addEventListener("input", () => {
    setError(field, error, "");
    update();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    element.querySelector("button")?.focus();
  });
  element.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button?.dataset.room !== undefined) dispatch({ type: "enter", how: "join", room: button.dataset.room });
  });
  more.addEventListener("click", () => dispatch({ type: "more-rooms" }));

  const update = () => {
    if (!last) return;
    const wanted = fold(field.value);
    const { rows, loading } = last.directory;
    const found = rows.filter((row) => fold(row.room).includes(wanted));
    list.render(found.map((row) => ({ key: row.room, parts: [row.count, row.member], build: () => roomRow(row) })));
    refresh();
    setText(submit, exact() ? "Go there" : "Create");
    setText(empty, loading && rows.length === 0 ? "Loading…" : found.length > 0 ? "" : wanted ? "No room has that name yet." : "There are no rooms yet. Create the first one.");
    empty.hidden = empty.textContent === "";
    more.hidden = !last.directory.more;
  };

  return {
    render(state) {
      const opened = state.dialog === "directory" && !shown;
      shown = state.dialog === "directory";
      const same = last?.directory === state.directory && last.formError === state.formError && last.welcomed === state.welcomed;
      last = state;
      if (!shown || (same && !opened)) return;
      if (opened) field.value = "";
      setError(field, error, state.formError?.dialog === "directory" ? state.formError.message : "");
      update();
    },
  };
}

/** @param {RoomSummary} row */
function roomRow(row) {
  return el("li", {}, el("button", { type: "button", class: "row", "data-room": row.room },
    el("span", { class: "hash", "aria-hidden": "true" }, "#"), named(row.room, "row-name"),
    el("span", { class: "faint" }, `${plural(row.count, "person", "people")}${row.member ? " · joined" : ""}`)));
}
