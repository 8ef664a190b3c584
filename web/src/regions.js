// Regions: what is outlined over the planes, each as a test of points in mm.

import { at } from "./affine.js";
import { nearest } from "./grid.js";

const LOOKS = {
  organ: { colour: "rgb(160 190 200 / 0.75)", width: 1.1 },
  allowed: { colour: "rgb(243 201 105 / 0.95)", width: 1.6 },
  field: { colour: "rgb(190 190 190 / 0.45)", width: 0.8 },
};

export function regionsOf(scan, organs, map, allowed) {
  const box = boxOf(scan);
  const inField = (mm) => {
    const cell = at(map.fromMm, mm);
    return cell.every((index, axis) => index >= -0.5 && index <= map.shape[axis] - 0.5);
  };
  const field = { ...LOOKS.field, box, holds: inField };
  if (!organs) return [field];
  const codes = Object.entries(organs.names);
  const single = codes
    .filter(([, name]) => !allowed.includes(name))
    .map(([code]) => ({ ...LOOKS.organ, box, holds: (mm) => nearest(organs, mm) === Number(code) }));
  const wanted = new Set(codes.filter(([, name]) => allowed.includes(name)).map(([code]) => Number(code)));
  const where = { ...LOOKS.allowed, box, holds: (mm) => wanted.has(nearest(organs, mm)) };
  return [field, ...single, where];
}

// The lowest and highest coordinates of a grid's corners.
function boxOf({ shape, affine }) {
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((corner) =>
    at(affine, shape.map((size, axis) => (corner >> axis) & 1 ? size - 0.5 : -0.5)));
  return [Math.min, Math.max].map((choose) =>
    [0, 1, 2].map((axis) => choose(...corners.map((corner) => corner[axis]))));
}
