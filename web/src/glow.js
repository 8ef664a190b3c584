// Glow: the map as NiiVue's 3-D rendering takes it, colour and opacity in a box around the scan.

import { times } from "./affine.js";
import { linear } from "./grid.js";

const SIDE = 56;  // the map is far coarser
const DENSITY = 0.35;  // light crosses many samples, a plane only one

export function glow({ map, limit, threshold, mostOpaque, raised, lowered, toMm }) {
  const pixels = new Uint8Array(4 * SIDE ** 3);
  if (!map) return { side: SIDE, pixels };
  const colours = [lowered, raised].map((colour) => colour.map((share) => 255 * share));
  const scaled = { ...map, fromMm: times(map.fromMm, toMm) };
  const frac = (index) => (index + 0.5) / SIDE;
  let into = 0;
  for (let z = 0; z < SIDE; z++)
    for (let y = 0; y < SIDE; y++)
      for (let x = 0; x < SIDE; x++, into += 4) {
        const value = linear(scaled, [frac(x), frac(y), frac(z)]) / limit;
        const size = Math.min(Math.abs(value), 1);
        if (size === 0 || size < threshold) continue;
        pixels.set(colours[Number(value > 0)], into);
        pixels[into + 3] = 255 * DENSITY * mostOpaque * size;
      }
  return { side: SIDE, pixels };
}
