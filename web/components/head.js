/**
 * The head of the room, the state of the connection in words, and the window's title.
 */

import { connectionWords, plural } from "../format.js";
import { currentRoom } from "../model.js";
import { title } from "../room.js";
import { byId, setText } from "./dom.js";

/** @import { Dispatch, View } from "./view.js" */

/** @param {Dispatch} dispatch @param {() => void} reconnect @returns {View} */
export function head(dispatch, reconnect) {
  const name = byId("room-title", HTMLElement);
  const about = byId("room-about", HTMLElement);
  const leave = byId("leave-button", HTMLButtonElement);
  const membersButton = byId("members-button", HTMLButtonElement);
  const membersCount = byId("members-button-count", HTMLElement);
  const roomsButton = byId("rooms-button", HTMLButtonElement);
  const searchButton = byId("search-button", HTMLButtonElement);
  const status = byId("status", HTMLElement);
  const words = byId("status-text", HTMLElement);
  const retry = byId("status-retry", HTMLButtonElement);
  /** @type {string | null} */
  let current = null;

  leave.addEventListener("click", () => current !== null && dispatch({ type: "leave", key: current }));
  retry.addEventListener("click", reconnect);

  return {
    render(state) {
      byId("chat", HTMLElement).hidden = state.phase !== "chat";
      const room = currentRoom(state);
      current = room?.key ?? null;
      const label = room ? title(room) : "No room";
      setText(name, label);
      setText(about, room === null ? "Find or create one." : room.with !== null ? "Only the two of you" : plural(room.count, "person", "people"));
      const direct = room !== null && room.with !== null;
      leave.hidden = room === null || room.key === "#lobby" || (!direct && !state.welcomed);
      leave.setAttribute("aria-label", direct ? `Close the conversation with ${label}` : `Leave ${label}`);
      leave.title = direct ? "Close this conversation" : "Leave this room";
      membersButton.hidden = room === null;
      const count = direct ? 2 : room?.count ?? 0;
      membersButton.setAttribute("aria-label", plural(count, "member"));
      setText(membersCount, count.toLocaleString());
      const unread = [...state.rooms.values()].reduce((sum, one) => sum + one.unread, 0);
      const elsewhere = unread - (room?.unread ?? 0);
      roomsButton.classList.toggle("has-news", elsewhere > 0);
      roomsButton.setAttribute("aria-label", elsewhere > 0 ? `Rooms, ${elsewhere} unread` : "Rooms");
      setText(words, connectionWords(state, Date.now()));
      status.className = `status ${state.welcomed ? "good" : state.status.kind}`;
      setText(retry, state.replaced ? "Go on here" : "Try now");
      searchButton.hidden = room === null;
      retry.hidden = state.status.kind !== "waiting" && state.status.kind !== "closed";
      const windowTitle = state.phase === "chat" ? `${unread > 0 ? `(${unread}) ` : ""}${label} · Crosstalk` : "Crosstalk";
      if (document.title !== windowTitle) document.title = windowTitle;
    },
  };
}
