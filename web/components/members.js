/**
 * The members of the room that one looks at; each is a way to write to them alone.
 */

import { hue, initial } from "../format.js";
import { currentRoom } from "../model.js";
import { fold } from "../protocol.js";
import { MEMBERS_MAX } from "../roll.js";
import { byId, el, named, setText } from "./dom.js";
import { KeyedList, roving } from "./list.js";

/** @import { State } from "../model.js" */
/** @import { Dispatch, View } from "./view.js" */
/** @import { Item } from "./list.js" */

/** @param {Dispatch} dispatch @returns {View} */
export function members(dispatch) {
  const list = byId("member-list", HTMLElement);
  const heading = byId("members-heading", HTMLElement);
  const more = byId("more-members", HTMLButtonElement);
  const keyed = new KeyedList(list);
  const refresh = roving(list);
  /** @type {readonly unknown[]} */
  let shown = [];

  list.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button?.dataset.nick !== undefined) dispatch({ type: "direct", nick: button.dataset.nick });
  });
  more.addEventListener("click", () => dispatch({ type: "more-members" }));

  return {
    render(state) {
      const room = currentRoom(state);
      const parts = [room?.members, room?.count, room?.roll, room?.with, state.nick, state.hidden];
      if (parts.every((part, i) => part === shown[i]) && shown.length > 0) return;
      shown = parts;
      const names = room?.with ? [room.with, state.nick] : room?.members ?? [];
      const count = room?.with ? 2 : room?.count ?? 0;
      setText(heading, `Members (${count.toLocaleString()})`);
      keyed.render(names.map((nick) => item(nick, state)));
      refresh();
      const rest = count - names.length;
      const partly = room !== null && (room.roll === "some" || (room.roll === "loading" && names.length > 0)) && rest > 0;
      more.hidden = !partly;
      more.disabled = names.length >= MEMBERS_MAX;
      setText(more, `and ${rest.toLocaleString()} more`);
    },
  };
}

/** @param {string} nick @param {State} state @returns {Item} */
function item(nick, state) {
  const me = fold(nick) === fold(state.nick);
  return {
    key: fold(nick),
    parts: [nick, me],
    build: () => {
      const avatar = el("span", { class: `avatar tiny ${hue(nick)}`, "aria-hidden": "true" }, initial(nick));
      if (me) return el("li", {}, el("span", { class: "row still" }, avatar, named(nick, "row-name"), el("span", { class: "faint" }, "you")));
      return el("li", {}, el("button", { type: "button", class: "row", "data-nick": nick, title: "Write a direct message" },
        avatar, named(nick, "row-name"), el("span", { class: "visually-hidden" }, ", write a direct message")));
    },
  };
}
