// NiiVue as we use it: our options, its own drawing held back until everything is there.
//
// It colours every voxel anew when a window or an overlay changes, so it gets a coarse grid in
// the very box of the scan, as the NIfTI file that it reads; our shader draws the scan itself.

import { Niivue, NVImage } from "niivue";

import { at, spacing } from "./io.js";

const [PAN, CROSSHAIR] = [3, 8];  // NiiVue's names for what dragging does
const OPTIONS = {
  isRadiologicalConvention: true,
  sagittalNoseLeft: true,
  isSliceMM: true,
  crosshairColor: [0.95, 0.79, 0.41, 0.9],
  crosshairWidthUnit: "mm",
  fontColor: [0.75, 0.78, 0.82, 1],
  backColor: [0, 0, 0, 1],
  dragMode: PAN,
  dragModePrimary: CROSSHAIR,
  dragAndDropEnabled: false,
  isAntiAlias: false,
  isOrientationTextVisible: false,
  loadingText: "",
  logLevel: "warn",
};

// `look` is NiiVue's own for a volume; `tiles` its layout.
export async function attach(canvas, scan, longest, tiles, look, options = {}) {
  const nv = new Niivue({ ...OPTIONS, ...options });
  nv.keyDownListener = nv.keyUpListener = () => {};  // the page has keys of its own
  const draw = nv.drawScene.bind(nv);
  nv.drawScene = () => {};
  await nv.attachToCanvas(canvas);
  const file = coarseFile(scan, longest, NVImage);
  const volume = await NVImage.loadFromFile({ file, name: file.name });
  nv.setCustomLayout(tiles);
  nv.addVolume(Object.assign(volume, look));
  return { nv, draw };
}

// Rows of the matrix from NiiVue's shares of the box to mm.
export const fracToMm = (nv) => {
  const flat = nv.volumes[0].frac2mm;
  return [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => flat[4 * column + row]));
};

const INT16 = 4;  // as NIfTI counts types

// At most `longest` voxels a side, each the mean of a patch in a plane of the scan; a grid that
// has no values yet gives its box alone.
export function coarseFile({ shape: size, affine, values }, longest, NVImage) {
  const shape = size.map((count) => Math.min(count, longest));
  const step = size.map((count, axis) => count / shape[axis]);
  const first = at(affine, step.map((wide) => (wide - 1) / 2));
  const wider = affine.map((row, index) => index === 3 ? row : [
    ...row.slice(0, 3).map((value, axis) => value * step[axis]), first[index],
  ]);
  const turned = wider.flatMap(([slice, row, column, origin]) => [column, row, slice, origin]);
  const bytes = NVImage.createNiftiArray(
    shape.toReversed(), spacing({ affine: wider }).toReversed(), turned, INT16,
    values ? patchMeans(values, size, shape, step) : stairs(shape[0] * shape[1] * shape[2]));
  return new File([bytes], "scan.nii");
}

// NiiVue warns of a volume that is the same everywhere.
const stairs = (length) => Int16Array.from({ length }, (_, step) => step);

function patchMeans(values, [, rows, columns], shape, step) {
  const means = new Int16Array(shape[0] * shape[1] * shape[2]);
  const edge = (index, axis) => Math.floor(index * step[axis]);
  let into = 0;
  for (let slice = 0; slice < shape[0]; slice++) {
    const plane = Math.floor((slice + 0.5) * step[0]) * rows * columns;
    for (let row = 0; row < shape[1]; row++)
      for (let column = 0; column < shape[2]; column++) {
        let [sum, count] = [0, 0];
        for (let down = edge(row, 1); down < edge(row + 1, 1); down++)
          for (let across = edge(column, 2); across < edge(column + 1, 2); across++, count++)
            sum += values[plane + down * columns + across];
        means[into++] = sum / count;
      }
  }
  return means;
}
