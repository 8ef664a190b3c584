// Textures and shader: grids on the graphics card, one half-float a cell, and how a plane of
// the scan in a window gets the map's colours over it.

const FIRST_FREE = 12;  // NiiVue keeps its own textures in the units below

// Half floats hold every Hounsfield unit up to 2048 exactly, and every second one up to 4096.
// We write them ourselves, by a table: a driver takes ten times as long.
export function scanTexture(gl, { shape, values }) {
  const texture = allocate(gl, 0, shape, gl.R16F);
  const [slices, rows, columns] = shape;
  const halves = halvesOfInt16();
  const plane = new Uint16Array(rows * columns);
  for (let slice = 0; slice < slices; slice++) {
    const start = slice * plane.length;
    for (let index = 0; index < plane.length; index++)
      plane[index] = halves[values[start + index] & 0xffff];
    gl.texSubImage3D(
      gl.TEXTURE_3D, 0, 0, 0, slice, columns, rows, 1, gl.RED, gl.HALF_FLOAT, plane);
  }
  return texture;
}

// The bits of each 16-bit integer as a half float; what is cut off is under one part in 1024.
function halvesOfInt16() {
  const table = new Uint16Array(1 << 16);
  for (let bits = 0; bits < table.length; bits++) {
    const value = bits << 16 >> 16;
    const size = Math.abs(value);
    if (size === 0) continue;
    const exponent = Math.floor(Math.log2(size));
    const mantissa = Math.floor((size / 2 ** exponent - 1) * 1024);
    table[bits] = (value < 0 ? 0x8000 : 0) | (exponent + 15) << 10 | mantissa;
  }
  return table;
}

// Values as shares of `limit`, which has the strongest colour.
export function mapTexture(gl, grid, limit) {
  const texture = allocate(gl, 1, grid.shape, gl.R16F);
  const [slices, rows, columns] = grid.shape;
  gl.texSubImage3D(
    gl.TEXTURE_3D, 0, 0, 0, 0, columns, rows, slices, gl.RED, gl.FLOAT,
    grid.values.map((value) => value / limit));
  return texture;
}

export function bind(gl, shader, name, unit, texture) {
  gl.activeTexture(gl.TEXTURE0 + FIRST_FREE + unit);
  gl.bindTexture(gl.TEXTURE_3D, texture);
  gl.uniform1i(shader.uniforms[name], FIRST_FREE + unit);
}

function allocate(gl, unit, [slices, rows, columns], format) {
  const texture = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0 + FIRST_FREE + unit);
  gl.bindTexture(gl.TEXTURE_3D, texture);
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R])
    gl.texParameteri(gl.TEXTURE_3D, side, gl.CLAMP_TO_EDGE);
  for (const size of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
    gl.texParameteri(gl.TEXTURE_3D, size, gl.LINEAR);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texStorage3D(gl.TEXTURE_3D, 1, format, columns, rows, slices);
  return texture;
}

export const SLICE_SHADER = `#version 300 es
precision highp int;
precision highp float;
uniform mat4 frac2mm;
uniform highp sampler3D scan;
uniform highp sampler3D evidence;
uniform mat4 mmToScan;
uniform mat4 mmToMap;
uniform vec2 windowHu;
uniform float mostOpaque;
uniform float threshold;
uniform vec3 raised;
uniform vec3 lowered;
in vec3 texPos;
out vec4 color;

bool holds(vec3 place) {
  return all(greaterThanEqual(place, vec3(0.0))) && all(lessThanEqual(place, vec3(1.0)));
}

void main() {
  vec4 mm = frac2mm * vec4(texPos, 1.0);
  vec3 voxel = (mmToScan * mm).xyz;
  vec3 cell = (mmToMap * mm).xyz;
  float hu = holds(voxel) ? texture(scan, voxel).r : windowHu.x;
  float grey = clamp((hu - windowHu.x) / (windowHu.y - windowHu.x), 0.0, 1.0);
  float value = holds(cell) ? clamp(texture(evidence, cell).r, -1.0, 1.0) : 0.0;
  float opacity = abs(value) < threshold ? 0.0 : mostOpaque * abs(value);
  color = vec4(mix(vec3(grey), value > 0.0 ? raised : lowered, opacity), 1.0);
}`;
