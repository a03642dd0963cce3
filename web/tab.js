/**
 * The tab's name among one's clients. It survives a reload; a tab that was duplicated has copied
 * it, notices that another one holds it, and takes a new one.
 *
 * A tab holds its name with the Web Locks API. Where there is none (a page over plain HTTP), the
 * tabs ask each other.
 */

const LOCK = "crosstalk.client.";
const CHANNEL = "crosstalk.clients";
/** The page before a reload lets go within this time. */
const LET_GO_WITHIN_MS = 400;
/** Other tabs answer within this time. */
const ANSWER_WITHIN_MS = 150;

/** A name that nobody else has. @returns {string} */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

export class Tab {
  name = "";
  /** @type {BroadcastChannel | null} */ #channel = null;
  /** @type {Set<string>} */ #heard = new Set();

  /** Takes a name: the wanted one if no other tab has it. @param {string | null} wanted */
  async claim(wanted) {
    if (!navigator.locks) this.#listen();
    if (wanted && await this.#hold(wanted)) this.name = wanted;
    else await this.renew();
    return this.name;
  }

  /** Takes a name that no tab has had. */
  async renew() {
    const name = randomName();
    if (navigator.locks) await this.#hold(name);
    this.name = name;
    return name;
  }

  /** The names of the tabs there are. @returns {Promise<ReadonlySet<string>>} */
  async all() {
    if (!navigator.locks) return new Set([this.name, ...await this.#ask()]);
    const { held = [] } = await navigator.locks.query();
    return new Set(held.flatMap(({ name }) => (name?.startsWith(LOCK) ? [name.slice(LOCK.length)] : [])));
  }

  /** @param {string} name @returns {Promise<boolean>} */
  async #hold(name) {
    if (!navigator.locks) return !(await this.#ask()).has(name);
    return new Promise((resolve) => {
      navigator.locks.request(`${LOCK}${name}`, { signal: AbortSignal.timeout(LET_GO_WITHIN_MS) }, () => {
        resolve(true);
        // It is let go when the page is.
        return new Promise(() => {});
      }).catch(() => resolve(false));
    });
  }

  #listen() {
    try {
      this.#channel = new BroadcastChannel(CHANNEL);
    } catch {
      return;
    }
    this.#channel.onmessage = ({ data }) => {
      if (data === "who") this.#channel?.postMessage({ name: this.name });
      else if (typeof data?.name === "string") this.#heard.add(data.name);
    };
  }

  async #ask() {
    this.#heard = new Set();
    this.#channel?.postMessage("who");
    await new Promise((resolve) => setTimeout(resolve, ANSWER_WITHIN_MS));
    return this.#heard;
  }
}
