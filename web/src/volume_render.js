// Volume rendering: bones in 3-D with the map glowing among them, and a crosshair.
//
// Casting rays costs most by far without a graphics card, so it waits until the planes are drawn
// and the reader rests. NiiVue takes the map as colour and opacity in a box around the scan.

import { SLICE_TYPE } from "niivue";

import { at, inverse, linear, times } from "./io.js";
import { attach, fracToMm } from "./niivue.js";

const LONGEST = 84;  // voxels a side: NiiVue colours and filters every one
const REST_MS = 120;
const [SLOW_MS, COARSER] = [150, 0.5];  // without a graphics card: fewer rays
const TILES = [{ sliceType: SLICE_TYPE.RENDER, position: [0, 0, 1, 1] }];
const BONES = { cal_min: 150, cal_max: 500, colormap: "ct_bones" };
const TURN_DEG = 15;
const TURNS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const OPTIONS = { show3Dcrosshair: true, crosshairWidth: 1.5, forceDevicePixelRatio: -1 };

export async function createVolumeRender(canvas, scan, colours) {
  const { nv, draw } = await attach(canvas, scan, LONGEST, TILES, BONES, OPTIONS);
  const { gl } = nv;
  nv.setRenderAzimuthElevation(200, 12);
  nv.setScale(1.3);
  const toMm = fracToMm(nv);
  const fromMm = inverse(toMm);
  nv.overlayTexture = gl.createTexture();
  let [waiting, stale] = [0, true];
  let [map, limit, look] = [null, 1, {}];

  function drawAll() {
    if (stale) lightUp();
    stale = false;
    const began = performance.now();
    draw();  // waits until the card is done
    if (performance.now() - began < SLOW_MS || nv.opts.forceDevicePixelRatio === COARSER) return;
    nv.opts.forceDevicePixelRatio = COARSER;
    nv.resizeListener();
  }

  function lightUp() {
    const { side, pixels } = glow({
      map, limit, toMm, ...colours, threshold: look.threshold, mostOpaque: look.opacity,
    });
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_3D, nv.overlayTexture);
    for (const edge of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R])
      gl.texParameteri(gl.TEXTURE_3D, edge, gl.CLAMP_TO_EDGE);
    for (const size of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
      gl.texParameteri(gl.TEXTURE_3D, size, gl.LINEAR);
    gl.texImage3D(
      gl.TEXTURE_3D, 0, gl.RGBA8, side, side, side, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    nv.renderShader.use(gl);
    gl.uniform1f(nv.renderShader.uniforms.overlays, 1);
  }

  canvas.onkeydown = (event) => {
    const turn = TURNS[event.key];
    if (!turn || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const { renderAzimuth, renderElevation } = nv.scene;
    nv.setRenderAzimuthElevation(
      renderAzimuth + TURN_DEG * turn[0], renderElevation + TURN_DEG * turn[1]);
  };
  nv.resizeListener();
  nv.drawScene = drawAll;
  return {
    nv,
    show(nextMap, nextLimit) {
      [map, limit, stale] = [nextMap, nextLimit, true];
    },
    style(next) {
      [look, stale] = [next, true];
    },
    moveTo(mm) {
      nv.scene.crosshairPos = at(fromMm, mm);
    },
    drawNow: drawAll,
    draw() {
      clearTimeout(waiting);
      waiting = setTimeout(drawAll, REST_MS);
    },
    close() {
      clearTimeout(waiting);
      nv.cleanup();
    },
  };
}

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
