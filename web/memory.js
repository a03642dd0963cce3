/**
 * What the browser remembers: for all tabs the nickname last used and the token, for each tab its
 * name and where one was. Nothing here fails: what cannot be kept is not.
 */

const NICK_KEY = "crosstalk.nick";
const TOKEN_KEY = "crosstalk.token";
const CLIENT_KEY = "crosstalk.client";
const SESSION_KEY = "crosstalk.session";

/** Tokens and nicknames in a link are not longer than this. */
const LONGEST = 200;

/** @typedef {{ nick: string, current: string | null, hidden: boolean, rooms: { name: string, with: string | null }[] }} Saved */

export const nick = entry(() => localStorage, NICK_KEY);
export const token = entry(() => localStorage, TOKEN_KEY);
export const client = entry(() => sessionStorage, CLIENT_KEY);
export const session = entry(() => sessionStorage, SESSION_KEY);

/** Whether a change in another tab is one of the token. @param {StorageEvent} event */
export function isToken(event) {
  return event.key === TOKEN_KEY || event.key === null;
}

/** @param {() => Storage} storage @param {string} key */
function entry(storage, key) {
  return {
    get() {
      try {
        return storage().getItem(key) || null;
      } catch {
        return null;
      }
    },
    /** @param {string} value */
    set(value) {
      try {
        if (value) storage().setItem(key, value);
        else storage().removeItem(key);
      } catch {
        // Full, or forbidden.
      }
    },
  };
}

/**
 * @param {string | null} text
 * @returns {Saved | null}
 */
export function parseSaved(text) {
  try {
    const { nick: name, current, rooms, hidden } = JSON.parse(text ?? "");
    if (typeof name !== "string" || !Array.isArray(rooms)) return null;
    return {
      nick: name, current: typeof current === "string" ? current : null, hidden: hidden === true,
      rooms: rooms.filter((room) => typeof room?.name === "string")
        .map((room) => ({ name: room.name, with: typeof room.with === "string" ? room.with : null })),
    };
  } catch {
    return null;
  }
}

/** The link that makes another device one's own. The part behind `#` is never sent to a server. @param {string} page @param {string} ownToken @param {string} ownNick */
export function deviceLink(page, ownToken, ownNick) {
  const url = new URL("/", page);
  url.hash = new URLSearchParams({ token: ownToken, nick: ownNick }).toString();
  return url.href;
}

/** What such a link says. @param {string} hash @returns {{ token: string, nick: string } | null} */
export function parseLink(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const found = words.get("token") ?? "";
  const name = words.get("nick") ?? "";
  return found !== "" && found.length <= LONGEST && name.length <= LONGEST ? { token: found, nick: name } : null;
}
