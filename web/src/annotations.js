// Annotations: distances, angles and mean HU of an ellipse, drawn on one plane of the scan.
//
// A mouse or a finger drags them; the keyboard sets one point after the other at the crosshair.

import { PLANES, stroke, write } from "./overlay.js";

const POINTS = { ruler: 2, region: 2, angle: 3 };
const LOOK = { colour: "rgb(120 240 160 / 0.95)", width: 1.6 };
const SHADE = { colour: "rgb(0 0 0 / 0.7)", width: 3.6 };
const MOST_SAMPLES = 300;  // across an ellipse
const TURN = 48;  // lines of an ellipse

// `huAt` gives the scan's value at a place in mm; `onChange` draws again.
export function createAnnotations({ huAt, spacingMm, onChange }) {
  const finished = [];
  let pending = null;

  const complete = () => {
    const done = { ...pending, text: measured(pending) };
    pending = null;
    finished.push({ ...done, paint: painter(done) });
    onChange(done.text);
  };
  const follow = (mm) => {
    pending.points[pending.points.length - 1] = [...mm];
    onChange(null);
  };
  const measures = {
    tools: Object.keys(POINTS),
    get isOpen() { return pending !== null; },
    get list() { return finished; },
    start(kind, plane, mm) {
      if (pending && pending.plane === plane && pending.kind === kind) return follow(mm);
      pending = { kind, plane, points: [[...mm], [...mm]] };
      return onChange(null);
    },
    move(mm) { if (pending) follow(mm); },
    end(mm) {
      if (!pending) return;
      follow(mm);
      if (pending.points.length < POINTS[pending.kind]) pending.points.push([...mm]);
      else complete();
    },
    // By keyboard: the first point begins, each further one ends a line.
    point(kind, plane, mm) {
      if (pending) measures.end(mm);
      else measures.start(kind, plane, mm);
    },
    cancel() { pending = null; },
    removeLast() {
      if (pending) pending = null;
      else finished.pop();
      onChange(null);
    },
    restore(list) {
      finished.splice(0, finished.length, ...list);
      pending = null;
    },
    shapes: () => pending ? [...finished, { ...pending, paint: painter(pending) }] : finished,
  };
  return measures;

  function measured({ kind, plane, points }) {
    if (kind === "ruler") return `${distance(...points).toFixed(1)} mm`;
    if (kind === "angle") return `${angle(points).toFixed(0)}°`;
    const { mean, spread, areaMm2 } = statistics(plane, points);
    if (mean === null) return "no scan here";
    return `${signedHu(mean)} ± ${spread.toFixed(0)} HU, ${areaMm2.toFixed(0)} mm²`;
  }

  // Mean and standard deviation of the scan in the ellipse between two corners. A voxel that lies
  // in it by a part counts by that part: samples are finer than voxels.
  function statistics(plane, [one, other]) {
    const [across, up] = PLANES[plane].axes;
    const [wide, high] = [across, up].map((axis) => Math.abs(one[axis] - other[axis]) / 2);
    const middle = one.map((value, axis) => (value + other[axis]) / 2);
    const step = Math.max(spacingMm / 4, 2 * Math.max(wide, high) / MOST_SAMPLES);
    let [count, sum, squares] = [0, 0, 0];
    const mm = [...middle];
    for (let b = -Math.floor(high / step); b <= high / step; b++)
      for (let a = -Math.floor(wide / step); a <= wide / step; a++) {
        if ((a * step / (wide || 1)) ** 2 + (b * step / (high || 1)) ** 2 > 1) continue;
        [mm[across], mm[up]] = [middle[across] + a * step, middle[up] + b * step];
        const hu = huAt(mm);
        if (hu === undefined) continue;
        [count, sum, squares] = [count + 1, sum + hu, squares + hu * hu];
      }
    if (!count) return { mean: null };
    const mean = sum / count;
    const spread = Math.sqrt(Math.max(squares / count - mean * mean, 0));
    return { mean, spread, areaMm2: Math.PI * wide * high };
  }
}

const signedHu = (value) => `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(0)}`;

const distance = (one, other) => Math.hypot(...one.map((value, axis) => value - other[axis]));

// At the middle point of three.
function angle([one, corner, other]) {
  const [a, b] = [one, other].map((point) => point.map((value, axis) => value - corner[axis]));
  const dot = a.reduce((sum, value, axis) => sum + value * b[axis], 0);
  const cosine = dot / (Math.hypot(...a) * Math.hypot(...b) || 1);
  return Math.acos(Math.min(Math.max(cosine, -1), 1)) * 180 / Math.PI;
}

function painter({ kind, points, text = "" }) {
  return (pen, toPixel) => {
    const at = points.map(toPixel);
    const lines = kind === "region" ? ellipse(at) : at.slice(1).map((point, index) => [at[index], point]);
    for (const look of [SHADE, LOOK]) stroke(pen, look, lines);
    const [x, y] = at[kind === "angle" ? 1 : at.length - 1];
    const offset = 8 * devicePixelRatio;
    write(pen, text, x + offset, y + offset, { base: "top", size: 12, ink: "#a8ffc8" });
  };
}

function ellipse([[left, top], [right, low]]) {
  const point = (turn) => {
    const phase = turn / TURN * 2 * Math.PI;
    return [(left + right + (right - left) * Math.cos(phase)) / 2,
      (top + low + (low - top) * Math.sin(phase)) / 2];
  };
  return Array.from({ length: TURN }, (_, turn) => [point(turn), point(turn + 1)]);
}
