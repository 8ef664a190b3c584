// Slice shader: a plane of the scan in a window, and the map's colours over it.

// NiiVue brings the vertex shader with `frac2mm` and `texPos`, the place in its own volume.
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
