/**
 * Crosstalk's page: one socket (connection.js), one state (state.js), components that render it.
 *
 * What happens goes one way: an event of the user, the server or the device changes the state,
 * and the state is painted. Components know neither the socket nor each other.
 */

import { Connection } from "./connection.js";
import { Session } from "./session.js";
import * as memory from "./memory.js";
import { Store } from "./store.js";
import { Tab } from "./tab.js";
import { announcer } from "./components/announcer.js";
import { composer } from "./components/composer.js";
import { device } from "./components/device.js";
import { dialogs, you } from "./components/dialogs.js";
import { directory } from "./components/directory.js";
import { head } from "./components/head.js";
import { keys } from "./components/keys.js";
import { login } from "./components/login.js";
import { members } from "./components/members.js";
import { question } from "./components/question.js";
import { rooms } from "./components/rooms.js";
import { search } from "./components/search.js";
import { timeline } from "./components/timeline.js";

/** @import { View } from "./components/view.js" */
/** @import { Event } from "./state.js" */

/** A page that nobody sees is painted this often at most, in milliseconds. */
const UNSEEN_PAINT_MS = 500;

const url = new URL("ws", location.href);
url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
url.pathname = "/ws";
url.search = url.hash = "";

const connection = new Connection(url.href, {
  onOpen: () => session.dispatch({ type: "opened" }),
  onEvent: (event) => session.dispatch({ type: "received", event }),
  onStatus: (status) => session.dispatch({ type: "status", status }),
});
const session = new Session(connection, new Store(), new Tab(), paintSoon);
/** @param {Event} event */
const dispatch = (event) => session.dispatch(event);

/** @type {View[]} */
let views = [];
let painting = false;

/** However much arrives, it is painted once a frame. */
function paintSoon() {
  if (painting) return;
  painting = true;
  if (document.hidden) setTimeout(paint, UNSEEN_PAINT_MS);
  else requestAnimationFrame(paint);
}

function paint() {
  painting = false;
  const before = document.body.dataset.phase;
  for (const view of views) view.render(session.state);
  const { phase, current } = session.state;
  const moved = document.body.dataset.room !== (current ?? "");
  document.body.dataset.phase = phase;
  document.body.dataset.room = current ?? "";
  // On a touch screen the focus would bring up the keyboard.
  if (phase === "chat" && (before !== "chat" || moved) && matchMedia("(pointer: fine)").matches) field.focus();
}

/** A link that makes this browser somebody's; it does not stay where others could see it. */
const link = memory.parseLink(location.hash);
if (link) history.replaceState(null, "", location.pathname + location.search);
const nick = await session.restore(link);
const messages = timeline(dispatch);
const field = composer(dispatch);
views = [
  head(dispatch, () => void session.reconnect()), dialogs(dispatch), login(dispatch, nick), rooms(dispatch), members(dispatch),
  messages, field, directory(dispatch), search(dispatch), question(dispatch), you(dispatch), device(), announcer(),
];
keys(dispatch, () => session.state, messages, field);
paint();

setInterval(() => {
  // The words count down.
  if (session.state.status.kind === "waiting") paintSoon();
}, 1000);

addEventListener("storage", (event) => memory.isToken(event) && session.tokenChanged());
// Such a link in the address bar of an open page loads nothing by itself.
addEventListener("hashchange", () => memory.parseLink(location.hash) && location.reload());
const wake = () => connection.wake();
addEventListener("online", wake);
addEventListener("offline", wake);
addEventListener("pageshow", (event) => event.persisted && wake());
const attend = () => dispatch({ type: "attention", here: document.visibilityState === "visible" && document.hasFocus() });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") {
    wake();
    void session.adopt();
  }
  attend();
});
addEventListener("focus", attend);
addEventListener("blur", attend);
