// Controls: those of the bar, each set up with its value and with what to do when it changes.

import { byId, make } from "./elements.js";
import { percent } from "./numbers.js";

// `choices` are pairs of a value and its words; one that is not offered becomes the first.
export function choice(id, choices, value, onChange) {
  const box = byId(id);
  box.replaceChildren(...choices.map(([each, text]) => make("option", { value: each }, text)));
  box.value = value;
  if (box.selectedIndex < 0) box.selectedIndex = 0;
  box.onchange = () => onChange(box.value);
  return box;
}

export function slider(id, value, onChange) {
  const bar = byId(id);
  const tell = () => bar.setAttribute("aria-valuetext", percent(Number(bar.value)));
  bar.value = value;
  tell();
  bar.oninput = () => {
    tell();
    onChange(Number(bar.value));
  };
}

export function tick(id, isOn, onChange) {
  const box = byId(id);
  box.checked = isOn;
  box.onchange = () => onChange(box.checked);
  return box;
}
