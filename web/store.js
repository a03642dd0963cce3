/**
 * What the page keeps on the device's disk (IndexedDB): the outbox, so that what is written survives
 * a reload, and the tab; and which messages are one's own.
 *
 * A browser that keeps nothing, or has no room, is no reason to stop: every call then does
 * nothing, and all of it lives as long as the page.
 */

import { merged } from "./own.js";

/** @import { Marks } from "./own.js" */
/** @import { Outgoing } from "./outbox.js" */

/**
 * @typedef {Outgoing & { client: string, person: string }} Kept
 *   `client` is the tab that it belongs to, `person` marks who wrote it
 */

const DATABASE = "crosstalk";
const VERSION = 2;
const ITEMS = "outbox";
const OWN = "own";
/** A disk that takes longer than this is not waited for. */
const PATIENCE_MS = 2_000;

export class Store {
  /** @type {Promise<IDBDatabase | null>} */ #database;

  constructor() {
    this.#database = patiently(open());
  }

  /** Everything that is kept, of all tabs. @returns {Promise<Kept[]>} */
  async all() {
    const all = await this.#with(ITEMS, "readonly", (items) => items.getAll());
    return Array.isArray(all) ? all : [];
  }

  /** Resolves when it is on the disk, or cannot be. @param {readonly Kept[]} put @param {readonly string[]} gone */
  async write(put, gone) {
    await this.#with(ITEMS, "readwrite", (items) => {
      for (const item of put) items.put(item);
      for (const id of gone) items.delete(id);
    });
  }

  /** Hands over what belongs to tabs that are gone. @param {(client: string) => boolean} isGone @param {string} client @returns {Promise<Kept[]>} */
  async adopt(isGone, client) {
    /** @type {Kept[]} */
    const adopted = [];
    await this.#with(ITEMS, "readwrite", (items) => {
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

  /** Which messages are whose, of that person. @param {string} person @returns {Promise<Marks[]>} */
  async own(person) {
    const all = person === "" ? null : await this.#with(OWN, "readonly", (own) => own.getAll(roomsOf(person)));
    return Array.isArray(all) ? all.map(({ person: _, ...marks }) => marks) : [];
  }

  /** Adds to what is known of it; another tab may know more. @param {string} person @param {readonly Marks[]} changed */
  async keepOwn(person, changed) {
    await this.#with(OWN, "readwrite", (own) => {
      for (const marks of changed) {
        const kept = own.get([person, marks.room]);
        kept.onsuccess = () => own.put({ ...merged(kept.result, marks), person });
      }
    });
  }

  /** That person is not to be known here any more. @param {string} person */
  async forget(person) {
    await this.#with(OWN, "readwrite", (own) => void own.delete(roomsOf(person)));
  }

  /** @param {string} name @param {IDBTransactionMode} mode @param {(items: IDBObjectStore) => IDBRequest | void} use */
  async #with(name, mode, use) {
    const database = await this.#database;
    if (!database) return undefined;
    return patiently(new Promise((resolve, reject) => {
      const transaction = database.transaction(name, mode);
      const request = use(transaction.objectStore(name));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    }));
  }
}

/** @param {string} person */
function roomsOf(person) {
  return IDBKeyRange.bound([person], [person, []]);
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = ({ oldVersion }) => {
      if (oldVersion < 1) request.result.createObjectStore(ITEMS, { keyPath: "id" });
      if (oldVersion < 2) request.result.createObjectStore(OWN, { keyPath: ["person", "room"] });
    };
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
