// Keyboard: single keys for what readers do all the time; `?` lists them, and they can be turned off.

import { byId } from "./elements.js";

const STEP_MM = 2;

export function listenToKeys({ finding, openCase, window, toggleOutlines, move, singleKeys }) {
  const help = byId("keys");
  byId("show-keys").onclick = () => help.showModal();
  const keys = {
    j: () => finding(1),
    k: () => finding(-1),
    n: () => openCase(1),
    p: () => openCase(-1),
    ...Object.fromEntries([0, 1, 2, 3].map((index) => [index, () => window(index)])),
    o: toggleOutlines,
    "/": () => byId("findings-search").focus(),
    "?": () => help.showModal(),
    ArrowLeft: () => move(0, STEP_MM),
    ArrowRight: () => move(0, -STEP_MM),
    ArrowUp: () => move(1, STEP_MM),
    ArrowDown: () => move(1, -STEP_MM),
    PageUp: () => move(2, STEP_MM),
    PageDown: () => move(2, -STEP_MM),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, [role=slider], [role=listbox], dialog");
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented;
    const own = event.key.startsWith("Arrow") || event.key.startsWith("Page");
    if (!plain || !(event.key in keys) || (!own && !singleKeys())) return;
    if (typing && (own || typing.matches("input[type=search], select, dialog"))) return;
    event.preventDefault();
    keys[event.key]();
  });
}
