// State and words: what is shown, kept in the address; numbers as readers expect them; elements.

const NUMBERS = new Set(["opacity", "threshold"]);
const START = {
  case: "", finding: "", at: "", window: "by finding", opacity: 0.75, threshold: 0, outlines: "on",
  beside: "", keys: "on",
};

export function readState(fragment) {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = { ...START };
  for (const name of Object.keys(START)) {
    const value = said.get(name);
    if (value === null) continue;
    if (NUMBERS.has(name) && !(Number(value) >= 0 && Number(value) <= 1)) continue;
    state[name] = NUMBERS.has(name) ? Number(value) : value;
  }
  return state;
}

// Only what differs from the start is written, so that links stay short.
export function writeState(state) {
  const said = Object.entries(state).filter(([name, value]) => value !== START[name]);
  return `#${new URLSearchParams(said)}`;
}

export const placeText = (mm) => mm.map((x) => x.toFixed(1)).join(",");

export function placeOf(text) {
  const mm = text.split(",").map(Number);
  return mm.length === 3 && mm.every(Number.isFinite) && text ? mm : null;
}

const SIDES = [["R", "L"], ["A", "P"], ["S", "I"]];  // a positive RAS coordinate, a negative one
const SAID = { R: "right", L: "left", A: "front", P: "back", S: "head", I: "feet" };

export function signed(value) {
  if (!value) return "0";
  const size = Math.abs(value).toPrecision(3);
  return (value < 0 ? "−" : "+") + (size.includes("e") ? Number(size) : size);
}

// Of a sigmoid, which is never certain, whatever rounding makes of it.
export function probability(share) {
  if (share < 0.0005) return "<0.1%";
  return share >= 0.9995 ? ">99.9%" : percent(share);
}

export function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

const sides = (mm) =>
  mm.map((x, axis) => [SIDES[axis][Number(x < 0)], Math.abs(x).toFixed(0)]);

export const place = (mm) => sides(mm).map((side) => side.join(" ")).join(" · ") + " mm";

// For ears: words in place of letters.
export const placeAloud = (mm) =>
  sides(mm).map(([side, size]) => `${SAID[side]} ${size}`).join(", ") + " millimetres";

export const words = (label) => label.replaceAll("_", " ");

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, attributes, children);
  return element;
}

export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, attributes, children);
  return element;
}

function apply(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
}

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
