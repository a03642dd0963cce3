/**
 * Who is in a room: the list, the count, and the lines in the timeline about who came and went.
 * All functions are pure.
 */

import { fold } from "./protocol.js";
import { addNotice, append, place } from "./rows.js";

/** @import { Members, Presence } from "./protocol.js" */
/** @import { Room } from "./room.js" */
/** @import { PresenceRow } from "./rows.js" */

/** Names of a room that are kept at most; the rest are counted. */
export const MEMBERS_MAX = 1000;

/** Presence notices closer together than this become one. */
const PRESENCE_MERGED_MS = 5 * 60_000;

/**
 * Who came and went: the list, the count, and a line in the timeline.
 * @param {Room} room @param {Presence} presence @param {string} self @param {number} at
 * @returns {Room}
 */
export function addPresence(room, presence, self, at) {
  const me = fold(self);
  const joined = presence.joined.filter((nick) => fold(nick) !== me);
  const left = presence.left.filter((nick) => fold(nick) !== me);
  const joinedCount = presence.joined_count - (presence.joined.length - joined.length);
  const leftCount = presence.left_count - (presence.left.length - left.length);
  const next = { ...rollCall(room, presence), count: presence.count };
  if (joinedCount <= 0 && leftCount <= 0) return next;
  const last = room.rows.at(-1);
  if (last?.kind === "presence" && last.life === room.life && at - last.at < PRESENCE_MERGED_MS) {
    const merged = { ...last, ...mergedPresence(last, joined, joinedCount, left, leftCount), count: presence.count };
    return { ...next, rows: [...room.rows.slice(0, -1), merged] };
  }
  return append(next, { ...place(next, at), kind: "presence", joined, joinedCount, left, leftCount, count: presence.count });
}

/**
 * @param {PresenceRow} row @param {string[]} joined @param {number} joinedCount
 * @param {string[]} left @param {number} leftCount
 */
function mergedPresence(row, joined, joinedCount, left, leftCount) {
  /** @param {string[]} names @param {string[]} more */
  const union = (names, more) => {
    const known = new Set(names.map(fold));
    return [...names, ...more.filter((name) => !known.has(fold(name)))];
  };
  const allJoined = union(row.joined, joined);
  const allLeft = union(row.left, left);
  return {
    joined: allJoined, left: allLeft,
    joinedCount: row.joinedCount + joinedCount - (row.joined.length + joined.length - allJoined.length),
    leftCount: row.leftCount + leftCount - (row.left.length + left.length - allLeft.length),
  };
}

/** @param {Room} room @param {Presence} presence @returns {Room} */
function rollCall(room, presence) {
  if (room.roll !== "some" && room.roll !== "all") return room;
  const gone = new Set(presence.left.map(fold));
  const come = new Set(presence.joined.map(fold));
  let members = room.members.filter((nick) => !gone.has(fold(nick)) && !come.has(fold(nick)));
  members = sorted([...members, ...presence.joined.filter((nick) => !gone.has(fold(nick)))]);
  const unnamed = presence.joined_count > presence.joined.length || presence.left_count > presence.left.length;
  const partly = room.roll === "some";
  const last = room.members.at(-1);
  // Of a long list only the beginning is known: who sorts behind it is among those counted.
  if (partly && last) members = members.filter((nick) => compare(nick, last) <= 0);
  const off = room.roll === "all" && members.length !== presence.count;
  return { ...room, members, roll: unnamed || off ? "stale" : room.roll };
}

/**
 * A page of the list of members.
 * @param {Room} room @param {Members} page @param {boolean} further whether it goes on from what is known
 * @returns {Room}
 */
export function addMembers(room, page, further) {
  const known = new Set(page.members.map(fold));
  const before = further ? room.members.filter((nick) => !known.has(fold(nick))) : [];
  const members = [...before, ...page.members];
  return { ...room, members, count: page.count, roll: page.more ? "some" : "all" };
}

/** @param {Room} room @param {string} from @param {string} to @param {number} at @returns {Room} */
export function rename(room, from, to, at) {
  const old = fold(from);
  const isMember = room.members.some((nick) => fold(nick) === old);
  const members = isMember ? sorted([...room.members.filter((nick) => fold(nick) !== old), to]) : room.members;
  const other = room.with !== null && fold(room.with) === old ? to : room.with;
  return addNotice({ ...room, members, with: other }, `${from} is now known as ${to}.`, at);
}

/** @param {string[]} names */
function sorted(names) {
  return names.sort(compare);
}

/** @param {string} a @param {string} b */
function compare(a, b) {
  const x = fold(a);
  const y = fold(b);
  return x < y ? -1 : x > y ? 1 : 0;
}
