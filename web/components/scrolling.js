/**
 * Keeping what is read in its place.
 */

/** @import { KeyedList } from "./list.js" */

/** What is read stays where it is, whatever is put above it. @param {HTMLElement} scroller @param {KeyedList} list @param {() => void} change */
export function keepingPlace(scroller, list, change) {
  const top = scroller.getBoundingClientRect().top;
  const anchor = list.find((row) => row.classList.contains("message") && row.getBoundingClientRect().bottom > top);
  /** @param {string} key */
  const bottom = (key) => list.element(key)?.getBoundingClientRect().bottom;
  const before = anchor === undefined ? undefined : bottom(anchor);
  change();
  const after = anchor === undefined ? undefined : bottom(anchor);
  // Even the same place, set again, would stop a scrolling that is under way.
  if (before !== undefined && after !== undefined && after !== before) scroller.scrollTop += after - before;
}
