// Planes: axial, coronal and sagittal plane of the scan in one canvas, and a map over them.
//
// NiiVue lays out, pans and zooms; but it colours every voxel of a volume anew when a window or
// an overlay changes. So it gets no more than the scan's box, and our shader draws its planes
// from the scan itself: window, opacity, threshold and map change with no more than a redraw.

import { SLICE_TYPE } from "niivue";

import { at, columnMajor, inverse, spacing, toTexture } from "./affine.js";
import { attach, fracToMm } from "./niivue.js";
import { paintPaper } from "./paper.js";
import { SLICE_SHADER } from "./slice_shader.js";
import { bind, mapTexture, scanTexture } from "./textures.js";

const GAP = 0.004;
const quarter = (left, top) => [left / 2 + GAP, top / 2 + GAP, 0.5 - 2 * GAP, 0.5 - 2 * GAP];
const TILES = [  // the last quarter is for the solid
  { sliceType: SLICE_TYPE.AXIAL, position: quarter(0, 0) },
  { sliceType: SLICE_TYPE.CORONAL, position: quarter(1, 0) },
  { sliceType: SLICE_TYPE.SAGITTAL, position: quarter(0, 1) },
];
const THROUGH = [2, 1, 0];  // the patient's axis that each plane is a step of
const NO_MAP = { shape: [1, 1, 1], values: new Float32Array(1) };
const BOX_ONLY = 2;

// `place` is the scan's grid; its values come with `loading` while NiiVue gets ready.
export async function createPlanes(canvas, paper, place, loading, colours, onMove) {
  steer(canvas, (plane, steps) => onMove(stepped(plane, steps)));
  const { nv, draw } = await attach(canvas, place, BOX_ONLY, TILES, {}, { crosshairWidth: 0 });
  const { gl } = nv;
  nv.setCustomSliceShader(SLICE_SHADER);
  const scanOnCard = scanTexture(gl, await loading);
  const toMm = fracToMm(nv);
  const fromMm = inverse(toMm);
  const finest = Math.min(...spacing(place));
  let [map, mapOnCard, look, regions] = [null, mapTexture(gl, NO_MAP, 1), {}, []];

  function setUniforms() {
    const shader = nv.customSliceShader;
    const { uniforms } = shader;
    shader.use(gl);
    bind(gl, shader, "scan", 0, scanOnCard);
    bind(gl, shader, "evidence", 1, mapOnCard);
    gl.uniform2fv(uniforms.windowHu, look.window);
    gl.uniform1f(uniforms.mostOpaque, map ? look.opacity : 0);
    gl.uniform1f(uniforms.threshold, look.threshold);
    gl.uniform3fv(uniforms.raised, colours.raised);
    gl.uniform3fv(uniforms.lowered, colours.lowered);
    gl.uniformMatrix4fv(uniforms.mmToScan, false, columnMajor(toTexture(place)));
    if (map) gl.uniformMatrix4fv(uniforms.mmToMap, false, columnMajor(toTexture(map)));
  }

  function drawAll() {
    setUniforms();
    draw();
    paintPaper(paper, canvas, nv, regions);
  }

  const position = () => at(toMm, [...nv.scene.crosshairPos]);
  function stepped(plane, steps) {
    const mm = position();
    mm[THROUGH[plane]] += steps * finest;
    return mm;
  }
  nv.onLocationChange = ({ mm }) => onMove([...mm].slice(0, 3));

  return {
    nv,
    position,
    show(next, limit) {
      gl.deleteTexture(mapOnCard);
      map = next;
      mapOnCard = mapTexture(gl, map ?? NO_MAP, limit);
    },
    style: (next) => { look = next; },
    outline: (next) => { regions = next; },
    moveTo(mm) {
      nv.scene.crosshairPos = at(fromMm, mm).map((share) => Math.min(Math.max(share, 0), 1));
    },
    draw() {
      nv.drawScene = drawAll;
      drawAll();
    },
    // Takes the room that the page gives now, without drawing.
    fit() {
      nv.drawScene = () => {};
      nv.resizeListener();
    },
    close: () => nv.cleanup(),
  };

  // The wheel pages through the plane under it; with Ctrl it is NiiVue's, to zoom.
  function steer(target, onStep) {
    target.addEventListener("wheel", (event) => {
      if (event.ctrlKey) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const box = target.getBoundingClientRect();
      const [right, low] = [
        event.clientX > box.left + box.width / 2, event.clientY > box.top + box.height / 2,
      ].map(Number);
      const tile = right + 2 * low;
      if (tile < TILES.length) onStep(tile, -Math.sign(event.deltaY));
    }, { passive: false });
  }
}
