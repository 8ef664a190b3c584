// NiiVue as we use it: our options, its own drawing held back until everything is there.

import { Niivue, NVImage } from "niivue";

import { coarseFile } from "./coarse.js";

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
