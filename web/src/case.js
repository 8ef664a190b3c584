// Case: one explained scan, its findings and how to get at its maps.

import { readGrid } from "./grid.js";

export async function openCase(source) {
  const [summary, scene] = await Promise.all([
    source.json("summary.json"), source.json("scene.json"),
  ]);
  const findings = new Map(summary.findings.map((finding) => [finding.label, finding]));
  const mapOf = (label, method) => {
    const place = scene.maps[method]?.[label];
    return place && readGrid(source, { ...scene.map_grid, ...place });
  };
  return {
    summary,
    scene,
    findings,
    method: summary.provenance.method,
    mapOf,
    scan: () => readGrid(source, scene.scan),
    organs: () => scene.organs && readGrid(source, scene.organs),
  };
}
