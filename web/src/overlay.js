// Overlay: what is drawn over the planes in thin lines and text: borders of regions, where the
// other planes cross, the sides of the patient, slice, window, a bar of known length, measures.

import { at, nearest } from "./io.js";

// The patient's axes across, up and through each plane; and what its edges are called.
export const PLANES = [
  { name: "axial", axes: [0, 1, 2] },
  { name: "coronal", axes: [0, 2, 1] },
  { name: "sagittal", axes: [1, 2, 0] },
];
const SIDES = [["R", "L"], ["A", "P"], ["S", "I"]];  // where a RAS coordinate rises, and falls
const STEP_MM = 2;
const CROSS = { colour: "rgb(243 201 105 / 0.8)", width: 1, gap: 14 };
const [INK, SOFT, EDGE] = ["#ffffff", "#d4dae2", "rgb(0 0 0 / 0.85)"];
const BARS_MM = [100, 50, 20, 10, 5, 2, 1];
const MARGIN = 6;

// Where a plane's pixels lie: `toPixel` of a place in mm, `toMm` of a pixel of the canvas.
export function geometryOf(tile, position) {
  const { axes } = PLANES[tile.axCorSag];
  const [left, top, width, height] = tile.leftTopWidthHeight;
  const [[leftMm, lowMm], [wideMm, highMm]] = [tile.leftTopMM, tile.fovMM];
  return {
    box: { left, top, width, height },
    pixelMm: Math.abs(wideMm) / width,
    edges: [SIDES[axes[0]][Number(wideMm > 0)], SIDES[axes[0]][Number(wideMm < 0)],
      SIDES[axes[1]][Number(highMm < 0)], SIDES[axes[1]][Number(highMm > 0)]],
    toPixel: (mm) => [
      left + (mm[axes[0]] - leftMm) / wideMm * width,
      top + height - (mm[axes[1]] - lowMm) / highMm * height,
    ],
    toMm(x, y) {
      const mm = [...position];
      mm[axes[0]] = leftMm + (x - left) / width * wideMm;
      mm[axes[1]] = lowMm + (top + height - y) / height * highMm;
      return mm;
    },
  };
}

export const tilesOf = (nv) =>
  nv.screenSlices.filter((tile) => PLANES[tile.axCorSag] && tile.leftTopMM.length);

// `regions`: what holds a point in mm and how it is drawn; `shapes`: measures on this plane.
export function paintOverlay(paper, canvas, nv, { regions, shapes, info, scan }) {
  paper.width = canvas.width;
  paper.height = canvas.height;
  const pen = paper.getContext("2d");
  const position = [...nv.frac2mm(nv.scene.crosshairPos)].slice(0, 3);
  for (const tile of tilesOf(nv)) {
    const plane = tile.axCorSag;
    const { axes } = PLANES[plane];
    const seen = geometryOf(tile, position);
    const { left, top, width, height } = seen.box;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    for (const region of regions) {
      const mm = [0, 0, 0];
      const place = ([a, b]) => {
        [mm[axes[0]], mm[axes[1]]] = [a, b];
        return seen.toPixel(mm);
      };
      stroke(pen, region, border(region, axes, position[axes[2]]).map((line) => line.map(place)));
    }
    const [x, y] = seen.toPixel(position);
    const gap = CROSS.gap * devicePixelRatio;
    stroke(pen, CROSS, [
      [[left, y], [x - gap, y]], [[x + gap, y], [left + width, y]],
      [[x, top], [x, y - gap]], [[x, y + gap], [x, top + height]],
    ]);
    for (const shape of shapes.filter((each) => isOn(each, plane, axes, position)))
      shape.paint(pen, seen.toPixel);
    letters(pen, seen);
    texts(pen, seen, plane, axes, position, info, scan);
    pen.restore();
  }
}

// A measure is seen within a millimetre of the plane on which it was drawn.
function isOn(shape, plane, axes, position) {
  return shape.plane === plane && Math.abs(shape.points[0][axes[2]] - position[axes[2]]) < 1;
}

function letters(pen, { box: { left, top, width, height }, edges }) {
  const inset = MARGIN * devicePixelRatio;
  write(pen, edges[0], left + inset, top + height / 2, { align: "left", size: 15 });
  write(pen, edges[1], left + width - inset, top + height / 2, { align: "right", size: 15 });
  write(pen, edges[2], left + width / 2, top + inset, { align: "center", base: "top", size: 15 });
  write(pen, edges[3], left + width / 2, top + height - inset,
    { align: "center", base: "bottom", size: 15 });
}

function texts(pen, seen, plane, axes, position, info, scan) {
  const { box: { left, top, width, height }, pixelMm } = seen;
  const inset = MARGIN * devicePixelRatio;
  const line = 14 * devicePixelRatio;
  const [side, of] = sliceOf(scan, axes[2], position);
  const told = [`${PLANES[plane].name} ${side}/${of}`, ...(plane === 0 ? info : [])];
  told.forEach((text, index) =>
    write(pen, text, left + inset, top + inset + index * line, { align: "left", base: "top", size: 11, ink: SOFT }));
  const fits = BARS_MM.find((mm) => mm / pixelMm < 0.3 * width) ?? 1;
  const [right, low] = [left + width - inset, top + height - inset];
  stroke(pen, { colour: EDGE, width: 4 }, [[[right - fits / pixelMm, low], [right, low]]]);
  stroke(pen, { colour: INK, width: 2 }, [[[right - fits / pixelMm, low], [right, low]]]);
  write(pen, `${fits} mm`, right, low - 4 * devicePixelRatio, { align: "right", base: "bottom", size: 11 });
}

// The slice of the scan that a plane shows, counted along the scan's own axis from 1.
export function sliceOf({ shape, affine, fromMm }, through, position) {
  const steps = affine[through].slice(0, 3).map(Math.abs);
  const axis = steps.indexOf(Math.max(...steps));
  const index = Math.round(at(fromMm, position)[axis]);
  return [Math.min(Math.max(index, 0), shape[axis] - 1) + 1, shape[axis]];
}

export function write(pen, text, x, y, { align = "left", base = "middle", size = 12, ink = INK } = {}) {
  pen.font = `${size * devicePixelRatio}px system-ui, "Segoe UI", Roboto, sans-serif`;
  pen.textAlign = align;
  pen.textBaseline = base;
  pen.lineJoin = "round";
  pen.lineWidth = 3 * devicePixelRatio;
  pen.strokeStyle = EDGE;
  pen.strokeText(text, x, y);
  pen.fillStyle = ink;
  pen.fillText(text, x, y);
}

export function stroke(pen, { colour, width }, lines) {
  pen.strokeStyle = colour;
  pen.lineWidth = width * devicePixelRatio;
  pen.beginPath();
  for (const [a, b] of lines) {
    pen.moveTo(...a);
    pen.lineTo(...b);
  }
  pen.stroke();
}

// --- regions: what is outlined, each as a test of points in mm ---------------------------------

const LOOKS = {
  organ: { colour: "rgb(160 190 200 / 0.75)", width: 1.1 },
  allowed: { colour: "rgb(243 201 105 / 0.95)", width: 1.6 },
  field: { colour: "rgb(190 190 190 / 0.45)", width: 0.8 },
  mask: { colour: "rgb(240 120 200 / 0.95)", width: 1.6 },
};

export function regionsOf(scan, organs, map, allowed, masks = []) {
  const box = boxOf(scan);
  const inField = (mm) => {
    const cell = at(map.fromMm, mm);
    return cell.every((index, axis) => index >= -0.5 && index <= map.shape[axis] - 0.5);
  };
  const others = masks.map((mask) => ({ ...LOOKS.mask, box, holds: (mm) => nearest(mask, mm) > 0 }));
  const field = { ...LOOKS.field, box, holds: inField };
  if (!organs) return [field, ...others];
  const codes = Object.entries(organs.names);
  const single = codes
    .filter(([, name]) => !allowed.includes(name))
    .map(([code]) => ({ ...LOOKS.organ, box, holds: (mm) => nearest(organs, mm) === Number(code) }));
  const wanted = new Set(codes.filter(([, name]) => allowed.includes(name)).map(([code]) => Number(code)));
  const where = { ...LOOKS.allowed, box, holds: (mm) => wanted.has(nearest(organs, mm)) };
  return [field, ...single, where, ...others];
}

// The lowest and highest coordinates of a grid's corners.
function boxOf({ shape, affine }) {
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((corner) =>
    at(affine, shape.map((size, axis) => (corner >> axis) & 1 ? size - 0.5 : -0.5)));
  return [Math.min, Math.max].map((choose) =>
    [0, 1, 2].map((axis) => choose(...corners.map((corner) => corner[axis]))));
}

// The last border of each plane is kept: panning and turning change none.
function border(region, [first, second, through], depth) {
  region.kept ??= new Map();
  const kept = region.kept.get(through);
  if (kept?.depth === depth) return kept.lines;
  const [low, high] = region.box;
  const mm = [0, 0, 0];
  mm[through] = depth;
  const holds = (a, b) => {
    mm[first] = a;
    mm[second] = b;
    return region.holds(mm);
  };
  const lines = contour(
    holds, [low[first], high[first]], [low[second], high[second]], STEP_MM);
  region.kept.set(through, { depth, lines });
  return lines;
}

// --- contours: the border of a region of the plane as short lines, by marching squares ----------

// Which edges of a square a line joins, by the corners inside: 1, 2, 4, 8 as below.
//   1 ─ top ─ 2
//  left     right
//   8 ─ low ─ 4
const [TOP, RIGHT, LOW, LEFT] = [0, 1, 2, 3];
const JOINS = [
  [], [[LEFT, TOP]], [[TOP, RIGHT]], [[LEFT, RIGHT]],
  [[RIGHT, LOW]], [[LEFT, TOP], [RIGHT, LOW]], [[TOP, LOW]], [[LEFT, LOW]],
  [[LOW, LEFT]], [[LOW, TOP]], [[TOP, RIGHT], [LOW, LEFT]], [[LOW, RIGHT]],
  [[RIGHT, LEFT]], [[RIGHT, TOP]], [[TOP, LEFT]], [],
];

// Pairs of points around where `holds(a, b)` is true, a and b between their limits.
function contour(holds, [fromA, toA], [fromB, toB], step) {
  const wide = Math.ceil((toA - fromA) / step) + 3;
  const high = Math.ceil((toB - fromB) / step) + 3;
  const inside = new Float32Array(wide * high);
  for (let b = 1; b < high - 1; b++)
    for (let a = 1; a < wide - 1; a++)
      inside[b * wide + a] = holds(fromA + (a - 1) * step, fromB + (b - 1) * step) ? 1 : 0;
  const field = softened(inside, wide, high);
  const lines = [];
  for (let b = 0; b < high - 1; b++)
    for (let a = 0; a < wide - 1; a++) {
      const here = b * wide + a;
      const corners = [field[here], field[here + 1], field[here + wide + 1], field[here + wide]];
      const code = corners.reduce((sum, value, bit) => sum + (value > 0.5 ? 1 << bit : 0), 0);
      if (code === 0 || code === 15) continue;
      const cut = (one, other) =>
        (0.5 - corners[one]) / (corners[other] - corners[one]);
      const edges = [
        () => [a + cut(0, 1), b], () => [a + 1, b + cut(1, 2)],
        () => [a + cut(3, 2), b + 1], () => [a, b + cut(0, 3)],
      ];
      for (const join of JOINS[code])
        lines.push(join.map((edge) => {
          const [x, y] = edges[edge]();
          return [fromA + (x - 1) * step, fromB + (y - 1) * step];
        }));
    }
  return lines;
}

// Means over 3 × 3, so that lines run smoothly between cells.
function softened(values, wide, high) {
  const soft = new Float32Array(values.length);
  for (let b = 1; b < high - 1; b++)
    for (let a = 1; a < wide - 1; a++) {
      let sum = 0;
      for (let down = -1; down <= 1; down++)
        for (let right = -1; right <= 1; right++) sum += values[(b + down) * wide + a + right];
      soft[b * wide + a] = sum / 9;
    }
  return soft;
}
