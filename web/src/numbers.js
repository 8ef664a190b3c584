// Numbers as readers expect them: three digits, a true minus sign, millimetres with a side.

const SIDES = [["R", "L"], ["A", "P"], ["S", "I"]];  // a positive RAS coordinate, a negative one
const SAID = { R: "right", L: "left", A: "front", P: "back", S: "head", I: "feet" };

export function signed(value) {
  if (!value) return "0";
  const size = Math.abs(value).toPrecision(3);
  return (value < 0 ? "−" : "+") + (size.includes("e") ? Number(size) : size);
}

export function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1%";
  if (share >= 0.9995 && share < 1) return ">99.9%";
  return `${(100 * share).toFixed(1)}%`;
}

const sides = (mm) =>
  mm.map((x, axis) => [SIDES[axis][Number(x < 0)], Math.abs(x).toFixed(0)]);

export const place = (mm) => sides(mm).map((side) => side.join(" ")).join(" · ") + " mm";

// For ears: words in place of letters.
export const placeAloud = (mm) =>
  sides(mm).map(([side, size]) => `${SAID[side]} ${size}`).join(", ") + " millimetres";

export const words = (label) => label.replaceAll("_", " ");
