// Slice chart: the score along the slices as a curve; a click goes to the slice.

import { byId, draw, make, signed } from "./state.js";

const [WIDE, HIGH, EDGE] = [1000, 76, 6];

// `onSlice` takes an index of the map's slices; `mark` moves the line that says where we are.
export function drawSliceChart(finding, ends, onSlice) {
  const strip = byId("strip");
  const scores = finding.slice_scores;
  if (!scores) {
    strip.replaceChildren(make("p", {}, "This network gives no score for single slices."));
    return { mark: () => {} };
  }
  const [low, high] = [Math.min(0, ...scores), Math.max(0, ...scores)];
  const x = (slice) => (slice + 0.5) / scores.length * WIDE;
  const y = (score) => HIGH - EDGE - (score - low) / (high - low || 1) * (HIGH - 2 * EDGE);
  const line = draw("line", { class: "here", y1: 0, y2: HIGH });
  const picture = draw("svg", {
    viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": true,
  },
  draw("line", { class: "zero", x1: 0, x2: WIDE, y1: y(0), y2: y(0) }),
  draw("polyline", { points: scores.map((score, slice) => `${x(slice)},${y(score)}`).join(" ") }),
  draw("line", {
    class: "peak", x1: x(finding.peak.cell[0]), x2: x(finding.peak.cell[0]), y1: 0, y2: HIGH,
  }),
  line);
  const slider = make("div", {
    class: "curve", role: "slider", tabindex: 0, "aria-label": "Slice group",
    "aria-valuemin": 1, "aria-valuemax": scores.length,
  }, picture);
  let now = finding.peak.cell[0];
  const go = (slice) => onSlice(Math.min(Math.max(slice, 0), scores.length - 1));
  const pointed = (event) => {
    const box = slider.getBoundingClientRect();
    go(Math.floor((event.clientX - box.left) / box.width * scores.length));
  };
  slider.onpointerdown = (event) => {
    slider.setPointerCapture(event.pointerId);
    pointed(event);
  };
  slider.onpointermove = (event) => { if (event.buttons) pointed(event); };
  slider.onkeydown = (event) => {
    const by = {
      ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10,
      Home: -scores.length, End: scores.length,
    };
    if (!(event.key in by)) return;
    event.preventDefault();
    go(now + by[event.key]);
  };
  const focused = strip.contains(document.activeElement);
  strip.replaceChildren(
    make("span", { class: "end" }, ends[0]), slider, make("span", { class: "end" }, ends[1]),
    make("span", { class: "scale" }, make("i", {}, signed(high)), make("i", { class: "unit" }, "logit"), make("i", {}, signed(low))));
  if (focused) slider.focus();
  return {
    mark(slice) {
      now = Math.min(Math.max(Math.round(slice), 0), scores.length - 1);
      line.setAttribute("x1", x(slice));
      line.setAttribute("x2", x(slice));
      slider.setAttribute("aria-valuenow", now + 1);
      slider.setAttribute(
        "aria-valuetext", `slice group ${now + 1} of ${scores.length}, score ${signed(scores[now])}`);
    },
  };
}
