// State: what is shown, kept in the address so that a link reopens the same view.

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
