// Input: a case's files, from the server or this very page, as numbers at places of the patient.

export const at = (matrix, [x, y, z]) =>
  matrix.slice(0, 3).map(([a, b, c, d]) => a * x + b * y + c * z + d);

export const times = (left, right) =>
  left.map((row) => right[0].map((_, column) =>
    row.reduce((sum, value, index) => sum + value * right[index][column], 0)));

// By cofactors: the last row of an affine is 0 0 0 1.
export function inverse([[a, b, c, x], [d, e, f, y], [g, h, i, z]]) {
  const cofactors = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  const determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0];
  const rows = cofactors.map((row) => row.map((value) => value / determinant));
  return [
    ...rows.map((row) => [...row, -(row[0] * x + row[1] * y + row[2] * z)]),
    [0, 0, 0, 1],
  ];
}

// A grid's axes are slice, row, column; its texture's are column, row, slice, from 0 to 1.
export function toTexture(grid) {
  const [slices, rows, columns] = grid.shape;
  const turned = [
    [0, 0, 1 / columns, 0.5 / columns],
    [0, 1 / rows, 0, 0.5 / rows],
    [1 / slices, 0, 0, 0.5 / slices],
    [0, 0, 0, 1],
  ];
  return times(turned, inverse(grid.affine));
}

// As WebGL takes them: column after column.
export const columnMajor = (matrix) =>
  matrix[0].flatMap((_, column) => matrix.map((row) => row[column]));

export const spacing = ({ affine }) =>
  [0, 1, 2].map((axis) => Math.hypot(...affine.slice(0, 3).map((row) => row[axis])));

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

async function inflated(stream) {
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

function once(load) {
  const kept = new Map();
  return (name) => {
    if (!kept.has(name)) kept.set(name, load(name));
    return kept.get(name);
  };
}

async function get(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${await answer.text()}`);
  return answer;
}

// A folder that the server shows; its browser unpacks what comes packed.
export function served(folder) {
  return {
    json: async (name) => (await get(folder + name)).json(),
    bytes: once(async (name) => (await get(folder + name)).arrayBuffer()),
  };
}

// Files written into the page: JSON as it is, bytes as base64 of gzip.
export function inlined() {
  const text = (name) => document.getElementById(`file-${name}`).textContent;
  return {
    json: async (name) => JSON.parse(text(name)),
    bytes: once(async (name) => {
      const packed = await fetch(`data:application/gzip;base64,${text(name).trim()}`);
      return inflated(packed.body);
    }),
  };
}

export async function openCase(source) {
  const [summary, scene] = await Promise.all([
    source.json("summary.json"), source.json("scene.json"),
  ]);
  const findings = new Map(summary.findings.map((finding) => [finding.label, finding]));
  const mapOf = (label, method) => {
    const place = scene.maps[method]?.[label];
    return place && readGrid(source, { ...scene.map_grid, ...place });
  };
  return {
    summary,
    scene,
    findings,
    method: summary.provenance.method,
    mapOf,
    scan: () => readGrid(source, scene.scan),
    organs: () => scene.organs && readGrid(source, scene.organs),
    masks: () => Promise.all((scene.masks ?? []).map((mask) => readGrid(source, mask))),
  };
}
