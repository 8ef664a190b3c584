// View: planes and, once they are drawn, the solid beside them, with one map in both.

import { createPlanes } from "./planes.js";
import { createSolid } from "./solid.js";

export async function createView(figure, place, loading, colours, onMove) {
  const [flat, paper, round] = figure.querySelectorAll("canvas");
  const planes = await createPlanes(flat, paper, place, loading, colours, onMove);
  const parts = [planes];
  const now = {};  // the last of each, for the solid that comes late
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
    async addSolid() {
      const solid = await createSolid(round, await loading, colours);
      if (closed) return solid.close();
      for (const name of ["show", "style", "moveTo", "draw"]) solid[name](...now[name]);
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
