/**
 * Making and finding elements. Text gets in as text nodes only; nothing here parses HTML.
 */

/** @typedef {Node | string | null} Child */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | boolean | null>} [attributes] `false` and `null` leave one out
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * @template {HTMLElement} T
 * @param {string} id @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} #${id}.`);
  return element;
}

/** Changes a text only if it is another one, so that nothing is read out twice. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A field and the reason why it was not taken. @param {HTMLInputElement} field @param {HTMLElement} place @param {string} message */
export function setError(field, place, message) {
  const fresh = message !== "" && place.textContent !== message;
  setText(place, message);
  if (message) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
  if (fresh) {
    field.focus();
    field.select();
  }
}

/** A name, kept apart from the direction of the text round it. @param {string} name @param {string} [className] */
export function named(name, className = "") {
  return el("bdi", { class: className || null }, name);
}

/** A picture from the page's own set. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}
