// Contours: the border of a region of the plane as short lines, by marching squares.

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
export function contour(holds, [fromA, toA], [fromB, toB], step) {
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
