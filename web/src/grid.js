// Grid: numbers at places of the patient; axes slice, row, column.

import { at, inverse } from "./affine.js";

const TYPES = { uint8: Uint8Array, int16: Int16Array, float32: Float32Array };

// `place` says where in which file its numbers lie: file, offset, dtype, shape, affine.
export async function readGrid(source, place) {
  const bytes = await source.bytes(place.file);
  const [slices, rows, columns] = place.shape;
  const Type = TYPES[place.dtype];
  const values = new Type(bytes, place.offset, slices * rows * columns);
  return { ...place, values, fromMm: inverse(place.affine) };
}

// The value of the nearest cell to a point in mm; undefined outside.
export function nearest(grid, mm) {
  const [slice, row, column] = at(grid.fromMm, mm).map(Math.round);
  const [slices, rows, columns] = grid.shape;
  const inside = slice >= 0 && row >= 0 && column >= 0
    && slice < slices && row < rows && column < columns;
  return inside ? grid.values[(slice * rows + row) * columns + column] : undefined;
}

// Linear between centres, constant to the edge of the outermost cells, zero beyond.
export function linear(grid, mm) {
  const index = at(grid.fromMm, mm);
  const low = [0, 0, 0];
  const share = [0, 0, 0];
  for (let axis = 0; axis < 3; axis++) {
    const last = grid.shape[axis] - 1;
    if (index[axis] < -0.5 || index[axis] > last + 0.5) return 0;
    const near = Math.min(Math.max(index[axis], 0), last);
    low[axis] = Math.min(Math.floor(near), Math.max(last - 1, 0));
    share[axis] = near - low[axis];
  }
  let sum = 0;
  for (let corner = 0; corner < 8; corner++) {
    let weight = 1;
    let place = 0;
    for (let axis = 0; axis < 3; axis++) {
      const far = (corner >> axis) & 1;
      weight *= far ? share[axis] : 1 - share[axis];
      place = place * grid.shape[axis] + low[axis] + far;
    }
    if (weight) sum += weight * grid.values[place];
  }
  return sum;
}
