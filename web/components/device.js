/**
 * The link that makes another device one's own.
 */

import { deviceLink } from "../memory.js";
import { byId, setText } from "./dom.js";

/** @import { View } from "./view.js" */

/** @returns {View} */
export function device() {
  const field = byId("device-link", HTMLInputElement);
  const copy = byId("device-copy", HTMLButtonElement);
  const none = byId("device-none", HTMLElement);
  let shown = false;

  field.addEventListener("focus", () => field.select());
  copy.addEventListener("click", () => void copyLink());

  async function copyLink() {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      setText(copy, "Copied");
    } catch {
      // Over plain HTTP there is no clipboard; it is selected, to be copied by hand.
      setText(copy, "Selected");
    }
  }

  return {
    render(state) {
      const open = state.dialog === "device";
      if (open && !shown) setText(copy, "Copy");
      shown = open;
      // What nobody asked to see stands nowhere in the document.
      const link = open && state.token !== null ? deviceLink(location.href, state.token, state.nick) : "";
      if (field.value !== link) field.value = link;
      copy.disabled = link === "";
      none.hidden = !open || link !== "";
    },
  };
}
