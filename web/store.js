/**
 * The outbox on the device's disk (IndexedDB): what is written survives a reload, and the tab.
 *
 * A browser that keeps nothing, or has no room, is no reason to stop: every call then does
 * nothing, and the outbox lives as long as the page.
 */

/** @import { Outgoing } from "./outbox.js" */

/**
 * @typedef {Outgoing & { client: string, person: string }} Kept
 *   `client` is the tab that it belongs to, `person` marks who wrote it
 */

const DATABASE = "crosstalk";
const ITEMS = "outbox";
/** A disk that takes longer than this is not waited for. */
const PATIENCE_MS = 2_000;

export class Store {
  /** @type {Promise<IDBDatabase | null>} */ #database;

  constructor() {
    this.#database = patiently(open());
  }

  /** Everything that is kept, of all tabs. @returns {Promise<Kept[]>} */
  async all() {
    const all = await this.#with("readonly", (items) => items.getAll());
    return Array.isArray(all) ? all : [];
  }

  /** Resolves when it is on the disk, or cannot be. @param {readonly Kept[]} put @param {readonly string[]} gone */
  async write(put, gone) {
    await this.#with("readwrite", (items) => {
      for (const item of put) items.put(item);
      for (const id of gone) items.delete(id);
    });
  }

  /** Hands over what belongs to tabs that are gone. @param {(client: string) => boolean} isGone @param {string} client @returns {Promise<Kept[]>} */
  async adopt(isGone, client) {
    /** @type {Kept[]} */
    const adopted = [];
    await this.#with("readwrite", (items) => {
      const cursor = items.openCursor();
      cursor.onsuccess = () => {
        if (!cursor.result) return;
        if (isGone(cursor.result.value.client)) {
          const item = { ...cursor.result.value, client };
          adopted.push(item);
          cursor.result.update(item);
        }
        cursor.result.continue();
      };
    });
    return adopted;
  }

  /** @param {IDBTransactionMode} mode @param {(items: IDBObjectStore) => IDBRequest | void} use */
  async #with(mode, use) {
    const database = await this.#database;
    if (!database) return undefined;
    return patiently(new Promise((resolve, reject) => {
      const transaction = database.transaction(ITEMS, mode);
      const request = use(transaction.objectStore(ITEMS));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    }));
  }
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(ITEMS, { keyPath: "id" });
    request.onsuccess = () => {
      // A newer page may want to change what is kept.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
}

/** @template T @param {Promise<T>} promise @returns {Promise<T | null>} */
function patiently(promise) {
  /** @type {Promise<null>} */
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null));
  return Promise.race([promise.catch(() => null), late]);
}
