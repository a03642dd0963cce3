/**
 * The panel of rooms and direct conversations, and who one is.
 */

import { connectionWords, hue, initial } from "../format.js";
import { listed } from "../model.js";
import { title } from "../room.js";
import { byId, el, named, setText } from "./dom.js";
import { KeyedList, roving } from "./list.js";

/** @import { Room } from "../room.js" */
/** @import { State } from "../model.js" */
/** @import { Dispatch, View } from "./view.js" */
/** @import { Item } from "./list.js" */

/** Unread messages are counted up to here. */
const COUNTED = 99;

/** @param {Dispatch} dispatch @returns {View} */
export function rooms(dispatch) {
  const publicList = byId("room-list", HTMLElement);
  const directList = byId("direct-list", HTMLElement);
  const hint = byId("direct-hint", HTMLElement);
  const you = byId("you-button", HTMLElement);
  const lists = [new KeyedList(publicList), new KeyedList(directList)];
  const refreshers = [roving(publicList), roving(directList)];
  const youWords = el("small");
  const youName = el("strong");
  const youAvatar = el("span", { class: "avatar", "aria-hidden": "true" });
  you.append(youAvatar, el("span", { class: "you-words" }, youName, youWords));

  for (const list of [publicList, directList]) {
    list.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      if (button?.dataset.key !== undefined) dispatch({ type: "show", key: button.dataset.key });
    });
  }

  return {
    render(state) {
      const all = listed(state);
      const direct = all.filter((room) => room.with !== null);
      lists[0].render(all.filter((room) => room.with === null).map((room) => item(room, state)));
      lists[1].render(direct.map((room) => item(room, state)));
      hint.hidden = direct.length > 0;
      for (const refresh of refreshers) refresh();
      setText(youName, state.nick);
      setText(youAvatar, initial(state.nick));
      youAvatar.className = `avatar ${hue(state.nick)}`;
      const words = state.welcomed ? (state.hidden ? "Out of sight" : connectionWords(state, 0)) : "Not connected";
      setText(youWords, words);
      you.classList.toggle("offline", !state.welcomed);
    },
  };
}

/** @param {Room} room @param {State} state @returns {Item} */
function item(room, state) {
  const current = state.current === room.key;
  const name = title(room);
  return {
    key: room.key,
    parts: [name, room.unread, room.mentioned, current],
    build: () => {
      const badge = room.unread > 0
        ? el("span", { class: room.mentioned ? "badge strong" : "badge" }, el("span", { "aria-hidden": "true" }, room.unread > COUNTED ? `${COUNTED}+` : String(room.unread)),
          el("span", { class: "visually-hidden" }, `, ${room.unread} unread${room.mentioned && room.with === null ? ", you are mentioned" : ""}`))
        : null;
      const sign = room.with === null
        ? el("span", { class: "hash", "aria-hidden": "true" }, "#")
        : el("span", { class: `avatar tiny ${hue(name)}`, "aria-hidden": "true" }, initial(name));
      return el("li", {}, el("button", {
        type: "button", class: room.unread > 0 ? "row unread" : "row", "aria-current": current ? "true" : null, "data-key": room.key,
      }, sign, named(name, "row-name"), badge));
    },
  };
}
