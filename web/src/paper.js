// Paper: thin lines over the planes: borders of regions, and where the other planes cross.

import { contour } from "./contours.js";

const AXES = [[0, 1, 2], [0, 2, 1], [1, 2, 0]];  // across, up, through; axial, coronal, sagittal
const STEP_MM = 2;
const CROSS = { colour: "rgb(243 201 105 / 0.8)", width: 1, gap: 14 };

// `regions`: what holds a point in mm, in which colour, how it is drawn.
export function paintPaper(paper, canvas, nv, regions) {
  paper.width = canvas.width;
  paper.height = canvas.height;
  const pen = paper.getContext("2d");
  const position = nv.frac2mm(nv.scene.crosshairPos);
  for (const tile of nv.screenSlices) {
    const axes = AXES[tile.axCorSag];
    if (!axes || !tile.leftTopMM.length) continue;
    const [left, top, width, height] = tile.leftTopWidthHeight;
    const [[leftMm, topMm], [wideMm, highMm]] = [tile.leftTopMM, tile.fovMM];
    const across = (mm) => left + (mm - leftMm) / wideMm * width;
    const down = (mm) => top + height - (mm - topMm) / highMm * height;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    for (const region of regions) {
      const lines = border(region, axes, position[axes[2]]);
      stroke(pen, region, lines.map((line) => line.map(([a, b]) => [across(a), down(b)])));
    }
    const [x, y] = [across(position[axes[0]]), down(position[axes[1]])];
    const gap = CROSS.gap * devicePixelRatio;
    stroke(pen, CROSS, [
      [[left, y], [x - gap, y]], [[x + gap, y], [left + width, y]],
      [[x, top], [x, y - gap]], [[x, y + gap], [x, top + height]],
    ]);
    pen.restore();
  }
}

function stroke(pen, { colour, width }, lines) {
  pen.strokeStyle = colour;
  pen.lineWidth = width * devicePixelRatio;
  pen.beginPath();
  for (const [a, b] of lines) {
    pen.moveTo(...a);
    pen.lineTo(...b);
  }
  pen.stroke();
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
