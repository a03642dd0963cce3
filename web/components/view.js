/**
 * What a component is: it renders the state, and dispatches events.
 */

/** @import { Event } from "../state.js" */
/** @import { State } from "../model.js" */

/**
 * @typedef {(event: Event) => void} Dispatch
 * @typedef {{ render: (state: State) => void }} View
 */

export {};
