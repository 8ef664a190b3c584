// Affine: four rows of four, as NumPy writes them, and what they do to points.

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
