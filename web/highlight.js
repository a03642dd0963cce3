/**
 * What of a text answers to the words that were looked for. Pure, and without a document.
 */

/** A snippet has about so many characters, and so many of them stand before its first hit. */
const SNIPPET = 180;
const BEFORE = 60;

/** Scripts that put no space between words: their words are found inside longer ones. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u;

/** @typedef {{ text: string, hit: boolean }} Part */

/** Words and "quoted phrases", each as the words in it. @param {string} words @returns {string[][]} */
export function terms(words) {
  return [...words.matchAll(/"([^"]*)"?|[^\s"]+/g)]
    .map(([whole, phrase]) => plain(phrase ?? whole).split(/[^\p{L}\p{N}]+/u).filter((word) => word !== ""))
    .filter((term) => term.length > 0);
}

/** Without regard to case and accents. @param {string} text */
function plain(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/**
 * A text in parts, those that were looked for apart from the rest, cut to what fits.
 * @param {string} text @param {string} words
 * @returns {Part[]}
 */
export function snippet(text, words) {
  const found = hits(text, terms(words));
  const begin = text.length <= SNIPPET ? 0 : wordStart(text, Math.max(0, (found[0]?.[0] ?? 0) - BEFORE));
  const end = Math.min(text.length, begin + SNIPPET);
  /** @type {Part[]} */
  const parts = begin > 0 ? [{ text: "…", hit: false }] : [];
  let at = begin;
  for (const [from, to] of found) {
    if (from < at || from >= end) continue;
    if (from > at) parts.push({ text: text.slice(at, from), hit: false });
    parts.push({ text: text.slice(from, to), hit: true });
    at = to;
  }
  if (at < end) parts.push({ text: text.slice(at, end), hit: false });
  if (Math.max(at, end) < text.length) parts.push({ text: "…", hit: false });
  return parts;
}

/** @param {string} text @param {number} at */
function wordStart(text, at) {
  const space = text.indexOf(" ", at);
  const start = at > 0 && space >= 0 && space - at < BEFORE / 2 ? space + 1 : at;
  // Not between the halves of a character.
  return /[\udc00-\udfff]/.test(text[start] ?? "") ? start + 1 : start;
}

/** Where the terms stand, in order and apart. @param {string} text @param {string[][]} wanted @returns {[number, number][]} */
function hits(text, wanted) {
  let folded = "";
  /** Where in the text each unit of the folded one comes from. @type {number[]} */
  const origin = [];
  let index = 0;
  for (const character of text) {
    const one = plain(character);
    for (let i = 0; i < one.length; i += 1) origin.push(index);
    folded += one;
    index += character.length;
  }
  /** @type {[number, number][]} */
  const found = [];
  for (const term of wanted) {
    const source = term.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("[^\\p{L}\\p{N}]+");
    const inside = UNSPACED.test(term.join(""));
    const pattern = inside ? source : `(?<![\\p{L}\\p{N}])${source}(?![\\p{L}\\p{N}])`;
    for (const match of folded.matchAll(new RegExp(pattern, "gu"))) {
      const last = origin[match.index + match[0].length - 1];
      found.push([origin[match.index], last + markLength(text, last)]);
    }
  }
  return apart(found.sort((a, b) => a[0] - b[0]));
}

/** A character and the accents on it. @param {string} text @param {number} at */
function markLength(text, at) {
  return /^.\p{M}*/su.exec(text.slice(at, at + 16))?.[0].length ?? 1;
}

/** @param {[number, number][]} sorted @returns {[number, number][]} */
function apart(sorted) {
  /** @type {[number, number][]} */
  const merged = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last && from < last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}
