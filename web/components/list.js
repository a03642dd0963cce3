/**
 * Lists whose items are kept while they are the same, and that one walks through with the arrows.
 */

/**
 * @typedef {{ key: string, parts: readonly unknown[], build: () => HTMLElement }} Item
 * an item is built anew when one of its parts is another one
 */

export class KeyedList {
  /** @type {Map<string, { element: HTMLElement, parts: readonly unknown[] }>} */ #known = new Map();

  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.parent = parent;
  }

  /** The element that stands for a key now. @param {string} key */
  element(key) {
    return this.#known.get(key)?.element;
  }

  /** The first item that a condition holds for. @param {(element: HTMLElement) => boolean} condition */
  find(condition) {
    for (const [key, { element }] of this.#known) if (condition(element)) return key;
    return undefined;
  }

  /** @param {readonly Item[]} items */
  render(items) {
    const before = this.#known;
    const focused = document.activeElement;
    /** @type {typeof before} */
    const known = new Map();
    /** @type {Element | null} */
    let at = this.parent.firstElementChild;
    for (const { key, parts, build } of items) {
      const old = before.get(key);
      const same = old !== undefined && old.parts.length === parts.length && old.parts.every((part, i) => Object.is(part, parts[i]));
      const element = same ? old.element : build();
      known.set(key, { element, parts });
      if (element === at) {
        at = at.nextElementSibling;
      } else if (old && !same && old.element === at) {
        const hadFocus = at.contains(focused);
        const next = at.nextElementSibling;
        at.replaceWith(element);
        at = next;
        if (hadFocus) element.querySelector("button")?.focus();
      } else {
        this.parent.insertBefore(element, at);
      }
    }
    this.#known = known;
    const kept = new Set([...known.values()].map(({ element }) => element));
    for (const child of [...this.parent.children]) {
      if (!kept.has(/** @type {HTMLElement} */ (child))) child.remove();
    }
  }
}

/**
 * One stop for the Tab key; the arrows, Home and End go on from there.
 * @param {HTMLElement} list
 * @returns {() => void} to be called when its buttons have changed
 */
export function roving(list) {
  const buttons = () => /** @type {HTMLButtonElement[]} */ ([...list.querySelectorAll("li > button")]);
  const refresh = () => {
    const all = buttons();
    const stop = all.find((button) => button === document.activeElement)
      ?? all.find((button) => button.getAttribute("aria-current") === "true") ?? all[0];
    for (const button of all) button.tabIndex = button === stop ? 0 : -1;
  };
  list.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const all = buttons();
    const index = all.findIndex((button) => button === document.activeElement);
    const targets = new Map([["ArrowDown", index + 1], ["ArrowUp", index - 1], ["Home", 0], ["End", all.length - 1]]);
    const target = targets.get(event.key);
    if (index < 0 || target === undefined) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, target))].focus();
    refresh();
  });
  list.addEventListener("focusin", refresh);
  return refresh;
}
