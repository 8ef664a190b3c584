// Planes: axial, coronal and sagittal plane of the scan in one canvas, a map over them, and what
// pointers do there.
//
// NiiVue lays out and zooms; it gets no more than the scan's box, and our shader draws its planes
// from the scan itself: window, opacity, threshold and map change with no more than a redraw.

import { SLICE_TYPE } from "niivue";

import { at, columnMajor, inverse, spacing, toTexture } from "./io.js";
import { attach, fracToMm } from "./niivue.js";
import { geometryOf, paintOverlay, PLANES, tilesOf } from "./overlay.js";
import { bind, mapTexture, scanTexture, SLICE_SHADER } from "./textures.js";
import { createVolumeRender } from "./volume_render.js";

const GAP = 0.004;
const quarter = (left, top) => [left / 2 + GAP, top / 2 + GAP, 0.5 - 2 * GAP, 0.5 - 2 * GAP];
const TYPES = [SLICE_TYPE.AXIAL, SLICE_TYPE.CORONAL, SLICE_TYPE.SAGITTAL];
const TILES = [  // the last quarter is for the rendering in 3-D
  { sliceType: TYPES[0], position: quarter(0, 0) },
  { sliceType: TYPES[1], position: quarter(1, 0) },
  { sliceType: TYPES[2], position: quarter(0, 1) },
];
const NO_MAP = { shape: [1, 1, 1], values: new Float32Array(1) };
const BOX_ONLY = 2;
const NO_PAN = [0, 0, 0, 1];
const [LEAST_ZOOM, MOST_ZOOM] = [0.5, 12];
const SWIPE_PX = 12;  // of two fingers, for one slice

// Planes and, once they are drawn, the rendering beside them, with one map in both.
export async function createView(figure, place, loading, colours, handlers) {
  const [flat, paper, round] = figure.querySelectorAll("canvas");
  const planes = await createPlanes(flat, paper, place, loading, colours, handlers);
  const parts = [planes];
  const now = {};  // the last of each, for the rendering that comes late
  let closed = false;

  const each = (name) => (...given) => {
    now[name] = given;
    for (const part of parts) part[name](...given);
  };
  const view = {
    planes,
    show: each("show"),
    style: each("style"),
    moveTo: each("moveTo"),
    draw: each("draw"),
    outline: planes.outline,
    fit: planes.fit,
    maximise(plane) {
      figure.classList.toggle("single", plane !== null);
      planes.maximise(plane);
    },
    async addSolid() {
      const solid = await createVolumeRender(round, await loading, colours);
      if (closed) return solid.close();
      for (const name of ["show", "style", "moveTo", "draw"]) if (now[name]) solid[name](...now[name]);
      parts.push(solid);
      view.solid = solid;
    },
    close() {
      closed = true;
      for (const part of parts) part.close();
    },
  };
  return view;
}

// `place` is the scan's grid; its values come with `loading` while NiiVue gets ready. `handlers`:
// `onMove` and `onPoint` get a place in mm, `onZoom` pan and zoom; `tool` names the tool in hand,
// `onTool` is told what a drag does; `onMaximise` gets a plane; `info` and `shapes` are drawn.
async function createPlanes(canvas, paper, place, loading, colours, handlers) {
  let nv = null;
  const fingers = new Map();
  listen();
  const attached = await attach(canvas, place, BOX_ONLY, TILES, {}, { crosshairWidth: 0 });
  ({ nv } = attached);
  const { draw } = attached;
  const { gl } = nv;
  nv.setCustomSliceShader(SLICE_SHADER);
  const scan = await loading;
  const scanOnCard = scanTexture(gl, scan);
  const toMm = fracToMm(nv);
  const fromMm = inverse(toMm);
  const finest = Math.min(...spacing(place));
  let [map, mapOnCard, look, regions] = [null, mapTexture(gl, NO_MAP, 1), {}, []];
  let told = NO_PAN;

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
    paintOverlay(paper, canvas, nv, { regions, shapes: handlers.shapes(), info: handlers.info(), scan });
    const pan = [...nv.scene.pan2Dxyzmm];
    if (pan.some((value, axis) => value !== told[axis])) {
      told = pan;
      handlers.onZoom(pan);
    }
  }

  const position = () => at(toMm, [...nv.scene.crosshairPos]);
  nv.onLocationChange = ({ mm }) => handlers.onMove([...mm].slice(0, 3));

  return {
    nv,
    position,
    tiles: () => tilesOf(nv).map((tile) => ({ plane: tile.axCorSag, ...geometryOf(tile, position()) })),
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
    zoom(pan) {
      told = [...pan];
      nv.scene.pan2Dxyzmm = [...pan];
    },
    maximise(plane) {
      nv.setCustomLayout(plane === null ? TILES : [{ sliceType: TYPES[plane], position: [0, 0, 1, 1] }]);
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

  // The plane under a pointer, and the place in mm that it points at.
  function pointed(event) {
    if (!nv?.screenSlices) return null;
    const rect = canvas.getBoundingClientRect();
    const ratio = canvas.width / rect.width;
    const [x, y] = [(event.clientX - rect.left) * ratio, (event.clientY - rect.top) * ratio];
    for (const tile of tilesOf(nv)) {
      const seen = geometryOf(tile, position());
      const { left, top, width, height } = seen.box;
      if (x >= left && y >= top && x < left + width && y < top + height)
        return { plane: tile.axCorSag, mm: seen.toMm(x, y) };
    }
    return null;
  }

  function step(plane, steps) {
    const mm = position();
    mm[PLANES[plane].axes[2]] += steps * finest;
    handlers.onMove(mm);
  }

  // Ours are the first listeners of the canvas: what a tool takes, NiiVue never sees.
  function listen() {
    let held = null;
    const take = (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    const options = { passive: false };
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey) return;  // NiiVue's, to zoom
      take(event);
      const here = pointed(event);
      if (here) step(here.plane, -Math.sign(event.deltaY));
    }, options);
    canvas.addEventListener("dblclick", (event) => {
      take(event);
      const here = pointed(event);
      if (here) handlers.onMaximise(here.plane);
    }, options);
    canvas.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") fingers.set(event.pointerId, event);
      if (event.button !== 0 || fingers.size > 1) return;
      const tool = handlers.tool();
      const here = pointed(event);
      if (here) handlers.onPlane(here.plane);
      if (tool === "navigate" || !here) return;
      held = { tool, plane: here.plane, x: event.clientX, y: event.clientY };
      canvas.setPointerCapture(event.pointerId);
      handlers.onTool(tool, "start", here, [0, 0]);
    }, options);
    canvas.addEventListener("pointermove", (event) => {
      const here = pointed(event);
      handlers.onPoint(here?.mm ?? null);
      if (fingers.size > 1) return twoFingers(event);
      if (held) {
        const by = [event.clientX - held.x, event.clientY - held.y];
        [held.x, held.y] = [event.clientX, event.clientY];
        if (here?.plane === held.plane || held.tool === "window")
          handlers.onTool(held.tool, "move", here, by);
      } else if (here && handlers.tool() !== "navigate") {
        handlers.onTool(handlers.tool(), "hover", here, [0, 0]);
      }
    }, options);
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, (event) => {
        fingers.delete(event.pointerId);
        const here = pointed(event);
        if (held && here?.plane === held.plane) handlers.onTool(held.tool, "end", here, [0, 0]);
        held = null;
      }, options);
    canvas.addEventListener("pointerleave", () => handlers.onPoint(null));
    for (const kind of ["mousedown", "mousemove", "touchstart", "touchmove"])
      canvas.addEventListener(kind, (event) => {
        const ours = held || fingers.size > 1
          || (kind.endsWith("down") && event.button === 0 && handlers.tool() !== "navigate");
        if (ours) take(event);
      }, options);
  }

  // Two fingers: apart to zoom, up and down to page through the plane under them.
  function twoFingers(event) {
    const before = [...fingers.values()];
    fingers.set(event.pointerId, event);
    const now = [...fingers.values()];
    const [was, is] = [before, now].map(([one, other]) =>
      Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
    const [from, to] = [before, now].map(([one, other]) => (one.clientY + other.clientY) / 2);
    const here = pointed(event);
    if (Math.abs(is - was) > Math.abs(to - from)) {
      const [x, y, z, zoom] = nv.scene.pan2Dxyzmm;
      const next = Math.min(Math.max(zoom * is / (was || 1), LEAST_ZOOM), MOST_ZOOM);
      nv.scene.pan2Dxyzmm = [x, y, z, next];
      drawAll();
    } else if (here) {
      twoFingers.moved = (twoFingers.moved ?? 0) + to - from;
      const steps = Math.trunc(twoFingers.moved / SWIPE_PX);
      twoFingers.moved -= steps * SWIPE_PX;
      if (steps) step(here.plane, -steps);
    }
  }
}
