// Main: opens the page's case and keeps what is shown in step with what is chosen.

import { createAnnotations } from "./annotations.js";
import { listFindings, tellDetails } from "./findings.js";
import { at, inlined, linear, nearest, openCase, served, spacing } from "./io.js";
import { copyPicture, printPicture, savePicture } from "./picture.js";
import { PLANES, regionsOf } from "./overlay.js";
import { createView } from "./planes.js";
import { drawSliceChart } from "./slice_chart.js";
import {
  byId, choice, make, place, placeAloud, placeOf, placeText, probability, readState, signed, slider, tick,
  words, writeState,
} from "./state.js";
import { openStudy } from "./study.js";

const BY_FINDING = "by finding";
const TOLD_MS = 2000;
const ENDS = { S: ["head", "feet"], A: ["front", "back"], R: ["right", "left"] };
const TOOLS = {
  navigate: "Navigate", window: "Window", ruler: "Ruler", angle: "Angle", region: "Region",
};
const MOST_UNDO = 100;
const CINE_MS = 90;
const STEP_MM = 2;
const WINDOW_STEP = 4;  // HU for a pixel of a drag

const state = readState(location.hash);
const page = { tool: "navigate", plane: 0, single: null, past: [] };  // the open case and its parts

async function start() {
  const offline = byId("file-summary.json") !== null;
  page.cases = offline ? [{ name: "", folder: "" }] : await served("").json("cases.json");
  const wanted = page.cases.findIndex(({ name }) => name === state.case);
  page.index = Math.max(wanted, 0);
  const { name, folder, beside, study } = page.cases[page.index];
  state.case = page.cases.length > 1 ? name : "";
  page.case = await openCase(offline ? inlined() : served(folder));
  page.other = beside && await openCase(served(beside));
  page.loading = page.case.scan();
  const organs = page.case.organs();
  const masks = page.case.masks();
  byId("viewer").hidden = false;
  viewing(true);
  if (offline) setUpReport();
  warn();
  setUpControls();
  byId("viewer").page = page;  // for those who script it, our tests among them
  page.list = listFindings(page.case, choose);
  page.first = await openView("first", page.case, page.loading);
  page.scan = await page.loading;
  page.organs = await organs;
  page.masks = await masks;
  page.annotations = createAnnotations({
    huAt: (mm) => nearest(page.scan, mm), spacingMm: Math.min(...spacing(page.scan)), onChange: measured,
  });
  await besides();
  await choose(page.case.findings.has(state.finding) ? state.finding : firstLabel(), placeOf(state.at));
  if (study) page.study = await openStudy({ page, state, choose, goToCase, say });
  byId("viewer").dataset.ready = Math.round(performance.now());
  for (const view of views()) await view.addSolid();
}

const viewing = (now) => document.body.classList.toggle("viewing", now);

// The static report lies under the viewer, in the same file.
function setUpReport() {
  byId("show-report").hidden = false;
  byId("show-report").onclick = () => { viewing(false); byId("viewer").hidden = true; };
  byId("open-viewer").hidden = false;
  byId("open-viewer").onclick = () => { byId("viewer").hidden = false; viewing(true); };
}

// What speaks against the scores of this scan, whatever its maps are worth.
function warn() {
  const warnings = page.case.summary.warnings ?? [];
  byId("warnings").hidden = warnings.length === 0;
  byId("warnings-list").replaceChildren(...warnings.map(({ sentence }) => make("li", {}, sentence)));
  byId("warnings-fold").onclick = () => {
    const folded = byId("warnings-list").toggleAttribute("hidden");
    byId("warnings-fold").textContent = folded ? "Unfold" : "Fold";
    byId("warnings-fold").setAttribute("aria-expanded", !folded);
    for (const view of views()) { view.fit(); view.draw(); }
  };
  byId("warnings-count").textContent = `${warnings.length} ${warnings.length === 1 ? "reason" : "reasons"}`;
}

const firstLabel = () => page.case.summary.findings[0].label;

const openView = (name, { scene }, loading) =>
  createView(byId(`view-${name}`), scene.scan, loading, scene.colours, {
    onMove: moved,
    onPoint: pointed,
    onZoom: zoomed,
    onPlane: (plane) => { page.plane = plane; },
    onMaximise: maximise,
    onTool: useTool,
    tool: () => page.tool,
    shapes: () => page.annotations?.shapes() ?? [],
    info: () => [windowText()],
  });

const views = () => [page.first, page.second].filter(Boolean);

// Choosing a finding goes to its peak, unless a link says where.
async function choose(label, mm = null) {
  const asked = page.asked = Symbol(label);
  const finding = page.case.findings.get(label);
  const [map, beside] = await Promise.all([page.case.mapOf(label, page.case.method), mapBeside(label)]);
  if (page.asked !== asked) return;  // a later choice was quicker
  page.map = map;
  state.finding = label;
  page.list.mark(label);
  tellDetails(page.case, finding);
  page.chart = drawSliceChart(finding, sliceEnds(map), goToSlice);
  const limit = page.limit = finding.colour_limit ?? page.case.summary.colour_limit;
  style();
  page.first.show(map, limit);
  page.second?.show(beside.map, beside.limit);
  outline();
  captions(label, beside);
  colourBar(limit);
  moveTo(mm ?? finding.peak.patient_mm);
  document.title = [words(label), state.case, "hirescam"].filter(Boolean).join(" · ");
  say(`${words(label)}, ${probability(finding.probability)}: ${finding.guarantee.sentence}`);
  page.study?.onFinding(label);
}

const say = (text) => { byId("said").textContent = text; };

// The case beside: of another model, or of another scan of the same patient.
const isOtherScan = () => state.beside === "model"
  && page.other.summary.scan.sha256 !== page.case.summary.scan.sha256;

async function mapBeside(label) {
  if (state.beside === "model") {
    const limit = page.other.findings.get(label)?.colour_limit ?? page.other.summary.colour_limit;
    return { map: await page.other.mapOf(label, page.other.method), limit };
  }
  const map = state.beside && await page.case.mapOf(label, state.beside);
  return { map, limit: map ? largest(map.values) : 1 };  // another method has another unit
}

const largest = (values) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;

const methodName = (method) => page.case.scene.methods?.[method] ?? method;

function captions(label, beside) {
  const named = (name, text) => byId(`view-${name}`).querySelector("figcaption").replaceChildren(text);
  named("first", `${methodName(page.case.method)} · ${page.case.summary.provenance.model}`);
  if (state.beside === "model")
    named("second", `${isOtherScan() ? "other scan · " : ""}${methodName(page.other.method)} · ${page.other.summary.provenance.model}`
      + (beside.map ? ` · ±${beside.limit.toPrecision(2)}` : " (has no such label)"));
  else if (state.beside) named("second", `${methodName(state.beside)} · its own scale, ±${beside.limit.toPrecision(2)}`);
}

function colourBar(limit) {
  const { unit } = page.case.summary.map_grid;
  const ticks = [-limit, 0, limit].map((value) => make("span", {}, signed(value)));
  byId("ramp-ticks").replaceChildren(...ticks);
  byId("ramp-unit").textContent = limit === page.case.summary.colour_limit ? unit : `${unit}, own scale`;
}

function outline() {
  const allowed = page.case.scene.allowed[state.finding] ?? [];
  const of = page.case.scene.masks ?? [];  // each mask is of one finding, or of all
  const masks = (page.masks ?? []).filter((_, index) => [null, undefined, state.finding].includes(of[index]?.label));
  const regions = regionsOf(page.case.scene.scan, page.organs, page.map, allowed, masks);
  page.first.outline(state.outlines === "on" ? regions : []);
  page.second?.outline(state.outlines === "on" && !isOtherScan() ? regions : []);
}

function moveTo(mm) {
  for (const view of views()) view.moveTo(mm);
  moved(mm);
}

// However one view was moved, the others follow, in the patient's millimetres.
function moved(mm) {
  if (!page.map) return;  // a click while everything is being read
  state.at = placeText(mm);
  page.chart?.mark(at(page.map.fromMm, mm)[0]);
  byId("place").textContent = [place(mm), ...valuesAt(mm)].join(" · ");
  for (const view of views()) {
    view.moveTo(mm);
    view.draw();
  }
  remember();
}

// What lies under the pointer, without a click.
function pointed(mm) {
  if (!page.map) return;
  byId("pointer").textContent = mm ? ["pointer", place(mm), ...valuesAt(mm)].join(" · ") : "";
}

function zoomed(pan) {
  for (const view of views()) {
    view.planes.zoom(pan);
    view.draw();
  }
}

// What lies at a place: the scan, and the map as it is drawn.
function valuesAt(mm) {
  const hu = nearest(page.scan, mm);
  return [
    ...(hu === undefined ? [] : [`${Math.round(hu)} HU`.replace("-", "−")]),
    `map ${signed(linear(page.map, mm))}`,
  ];
}

function goToSlice(slice) {
  const cell = at(page.map.fromMm, placeOf(state.at));
  moveTo(at(page.map.affine, [slice, cell[1], cell[2]]));
}

// Where the map's slices lead, by the patient's axis that they mostly follow.
function sliceEnds({ affine }) {
  const along = affine.slice(0, 3).map((row) => row[0]);
  const axis = along.map(Math.abs).indexOf(Math.max(...along.map(Math.abs)));
  const ends = Object.values(ENDS)[[2, 1, 0][axis]];
  return along[axis] < 0 ? ends : ends.toReversed();
}

function style() {
  const { opacity, threshold } = state;
  for (const view of views()) view.style({ opacity, threshold, window: windowHu() });
}

function redraw() {
  style();
  for (const view of views()) view.draw();
  remember();
}

let writing = 0;
function remember() {
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", writeState(state)), 150);
}

// --- tools ------------------------------------------------------------------------------------------

function setTool(name) {
  page.annotations?.cancel();
  page.tool = name;
  byId("tool").value = name;
  byId("viewer").dataset.tool = name;
  say(`Tool: ${TOOLS[name]}`);
}

function useTool(tool, phase, here, [dx, dy]) {
  if (tool === "window") {
    if (phase === "start") keep();
    if (phase !== "move") return;
    const [low, high] = windowHu();
    const width = Math.max(high - low + dx * WINDOW_STEP, 1);
    const level = (low + high) / 2 - dy * WINDOW_STEP;
    setCustomWindow(level - width / 2, level + width / 2);
    return;
  }
  if (!here) return;
  if (phase === "start") {
    if (!page.annotations.isOpen) keep();
    page.annotations.start(tool, here.plane, here.mm);
  } else if (phase === "end") page.annotations.end(here.mm);
  else page.annotations.move(here.mm);
}

// A measure was drawn, finished (then with its text) or taken back.
function measured(text) {
  for (const view of views()) view.draw();
  if (text) say(text);
}

function setCustomWindow(low, high) {
  state.window = `${Math.round(low)},${Math.round(high)}`;
  showWindow();
  redraw();
}

// By keyboard: with a tool in hand, Enter sets a point at the crosshair.
function pointHere() {
  if (!page.annotations?.tools.includes(page.tool)) return;
  if (!page.annotations.isOpen) keep();
  page.annotations.point(page.tool, page.plane, placeOf(state.at));
}

function maximise(plane) {
  page.single = page.single === null ? plane : null;
  for (const view of views()) {
    view.maximise(page.single);
    view.draw();
  }
  byId("maximise").setAttribute("aria-pressed", page.single !== null);
  say(page.single === null ? "Three planes" : `${PLANES[page.single].name} plane alone`);
}

let cine = 0;
function playCine() {
  const running = cine !== 0;
  clearInterval(cine);
  cine = 0;
  byId("cine").setAttribute("aria-pressed", !running);
  if (running) return;
  const axis = PLANES[page.plane].axes[2];
  const steps = page.scan.affine[axis].slice(0, 3).map(Math.abs);
  const along = steps.indexOf(Math.max(...steps));
  cine = setInterval(() => {
    const index = at(page.scan.fromMm, placeOf(state.at));
    index[along] = (Math.round(index[along]) + 1) % page.scan.shape[along];
    moveTo(at(page.scan.affine, index));
  }, CINE_MS);
}

// Undo: what was shown and measured before, one step after the other.
function keep() {
  page.past.push({ state: { ...state }, measures: [...(page.annotations?.list ?? [])] });
  if (page.past.length > MOST_UNDO) page.past.shift();
}

async function undo() {
  const before = page.past.pop();
  if (!before) return say("Nothing to undo.");
  if (page.annotations) page.annotations.restore(before.measures);
  const { finding } = state;
  Object.assign(state, before.state);
  for (const name of ["opacity", "threshold"]) byId(name).value = state[name];
  showWindow();
  if (state.finding !== finding) await choose(state.finding, placeOf(state.at));
  else moveTo(placeOf(state.at));
  redraw();
  return say("Undone.");
}

function reset() {
  keep();
  if (page.single !== null) maximise(null);
  Object.assign(state, { window: BY_FINDING, opacity: 0.75, threshold: 0 });
  for (const name of ["opacity", "threshold"]) byId(name).value = state[name];
  showWindow();
  for (const view of views()) view.planes.zoom([0, 0, 0, 1]);
  style();
  moveTo(page.case.findings.get(state.finding).peak.patient_mm);
}

const pictured = () => ({
  views: views(),
  name: `${state.case || "hirescam"}-${state.finding}`.replace(/[^\w-]+/g, "_"),
  lines: [
    `${words(state.finding)} · probability ${probability(page.case.findings.get(state.finding).probability)} · `
      + `score ${signed(page.case.findings.get(state.finding).score)}`,
    `${methodName(page.case.method)} of ${page.case.summary.provenance.model} · ${place(placeOf(state.at))} · ${windowText()}`,
    "For research, not for diagnosis.",
    ...(page.case.summary.warnings?.length ? ["Do not rely on these scores: " + page.case.summary.warnings.map(({ sentence }) => sentence).join(" ")] : []),
  ],
  limit: page.limit,
  unit: page.case.summary.map_grid.unit,
  colours: page.case.scene.colours,
});

// --- controls ---------------------------------------------------------------------------------------

function setUpControls() {
  setUpWindows();
  for (const name of ["opacity", "threshold"])
    slider(name, state[name], (value) => {
      state[name] = value;
      redraw();
    });
  const outlines = tick("outlines", state.outlines === "on", (isOn) => {
    state.outlines = isOn ? "on" : "off";
    outline();
    redraw();
  });
  const singleKeys = tick("single-keys", state.keys === "on", (isOn) => {
    state.keys = isOn ? "on" : "off";
    remember();
  });
  choice("tool", Object.entries(TOOLS), page.tool, setTool);
  const done = (id, words) => (worked) => {
    say(worked ? `${words[0]}.` : `${words[1]}.`);
    byId(id).textContent = worked ? words[0] : words[1];
    setTimeout(() => { byId(id).textContent = words[2]; }, TOLD_MS);
  };
  const buttons = {
    cine: playCine, reset, undo,
    maximise: () => maximise(page.plane),
    "save-picture": () => savePicture(pictured()),
    "copy-picture": () => copyPicture(pictured()).then(done("copy-picture", ["Copied", "Not copied", "Copy"])),
    print: () => printPicture(pictured()),
  };
  for (const [id, act] of Object.entries(buttons)) byId(id).onclick = act;
  setUpBeside();
  setUpCases();
  byId("copy-link").onclick = copyLink;
  listenToKeys({
    j: () => page.list.step(1),
    k: () => page.list.step(-1),
    n: () => goToCase(1),
    p: () => goToCase(-1),
    ...Object.fromEntries(windowNames().slice(0, 10).map((name, index) => [index, () => setWindow(name)])),
    o: () => outlines.click(),
    v: () => setTool("navigate"),
    w: () => setTool("window"),
    m: () => setTool("ruler"),
    g: () => setTool("angle"),
    e: () => setTool("region"),
    c: playCine,
    f: () => maximise(page.plane),
    x: reset,
    u: undo,
    s: buttons["save-picture"],
    y: buttons["copy-picture"],
    Delete: () => { keep(); page.annotations.removeLast(); },
    "/": () => byId("findings-search").focus(),
    "?": () => byId("keys").showModal(),
    ArrowLeft: () => nudge(0, STEP_MM),
    ArrowRight: () => nudge(0, -STEP_MM),
    ArrowUp: () => nudge(1, STEP_MM),
    ArrowDown: () => nudge(1, -STEP_MM),
    PageUp: () => nudge(2, STEP_MM),
    PageDown: () => nudge(2, -STEP_MM),
  }, () => singleKeys.checked);
}

// Single keys for what readers do all the time; `?` lists them, and they can be turned off.
function listenToKeys(keys, singleKeys) {
  byId("show-keys").onclick = () => byId("keys").showModal();
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.target.closest("input, textarea")) {
      event.preventDefault();
      return undo();
    }
    const typing = event.target.closest("input, select, textarea, [role=slider], [role=listbox], dialog, .study");
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented;
    if (plain && event.key === "Enter" && event.target.closest(".screen canvas")) return pointHere();
    const own = event.key.startsWith("Arrow") || event.key.startsWith("Page");
    if (!plain || !(event.key in keys) || (!own && !singleKeys())) return;
    if (typing && (own || typing.matches("input[type=search], textarea, select, dialog, .study"))) return;
    event.preventDefault();
    keys[event.key]();
  });
}

function setUpBeside() {
  const choices = Object.keys(page.case.scene.maps)
    .filter((method) => method !== page.case.method)
    .map((method) => [method, methodName(method)]);
  if (page.other) {
    const same = page.other.summary.scan.sha256 === page.case.summary.scan.sha256;
    choices.push(["model", same ? "the other model" : "the other scan"]);
  }
  const box = choice("beside", [["", "nothing"], ...choices], state.beside, async (value) => {
    state.beside = value;
    await besides();
    await choose(state.finding, placeOf(state.at));
    if (page.second && !page.second.solid) await page.second.addSolid();
  });
  box.parentElement.hidden = choices.length === 0;
  state.beside = box.value;
}

const windowNames = () => [BY_FINDING, ...Object.keys(page.case.scene.windows_hu)];
const customWindow = () => {
  const [low, high] = state.window.split(",").map(Number);
  return state.window.includes(",") && high > low ? [low, high] : null;
};

function windowHu() {
  const { windows_hu: presets, window_of: usual } = page.case.scene;
  return customWindow() ?? presets[state.window] ?? presets[usual[state.finding]];
}

function windowText() {
  const [low, high] = windowHu();
  return `W ${Math.round(high - low)} L ${Math.round((low + high) / 2)}`.replace("-", "−");
}

function setUpWindows() {
  if (!windowNames().includes(state.window) && !customWindow()) state.window = BY_FINDING;
  byId("window").onchange = () => setWindow(byId("window").value);
  showWindow();
}

// The presets, and the reader's own where there is one.
function showWindow() {
  const own = customWindow() ? [[state.window, windowText()]] : [];
  choice("window", [...windowNames().map((name) => [name, name]), ...own], state.window, setWindow);
}

// Not every browser lets a page write to the clipboard; the address bar has the link anyway.
async function copyLink() {
  history.replaceState(null, "", writeState(state));
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  say(copied ? "The link to this view is copied." : "The link to this view is in the address bar.");
  byId("copy-link").textContent = copied ? "Copied" : "See above";
  setTimeout(() => { byId("copy-link").textContent = "Copy link"; }, TOLD_MS);
}

function setWindow(name) {
  if (name !== state.window) keep();
  state.window = name;
  showWindow();
  redraw();
}

function setUpCases() {
  const several = page.cases.length > 1;
  byId("cases").hidden = !several;
  if (!several) return;
  byId("case-name").textContent = `${state.case} (${page.index + 1} of ${page.cases.length})`;
  byId("case-before").onclick = () => goToCase(-1);
  byId("case-after").onclick = () => goToCase(1);
}

// Another case is another page: what the graphics card held is let go with this one.
function goToCase(by) {
  const next = page.cases[(page.index + by + page.cases.length) % page.cases.length];
  const kept = page.cases[page.index].study ? { finding: "" } : {};
  history.replaceState(null, "", writeState({ ...state, ...kept, case: next.name, at: "" }));
  location.reload();
}

// The second view is made when it is first asked for.
async function besides() {
  byId("view-second").hidden = !state.beside;
  const kind = state.beside === "model" ? "other" : "case";
  if (page.second && page.secondKind !== kind) {
    page.second.close();
    page.second = null;
  }
  if (state.beside && !page.second) {
    const loading = kind === "other" ? page.other.scan() : page.loading;
    page.secondKind = kind;
    page.second = await openView("second", kind === "other" ? page.other : page.case, loading);
  }
  if (!state.beside) {
    page.second?.close();
    page.second = null;
  }
  for (const view of views()) view.fit();
}

// Along an axis of the patient, by millimetres.
function nudge(axis, by) {
  const mm = placeOf(state.at);
  mm[axis] += by;
  moveTo(mm);
  say([placeAloud(mm), ...valuesAt(mm)].join(", "));
}

start().catch((error) => {
  viewing(false);
  byId("viewer").hidden = true;
  const told = byId("viewer-problem");
  told.hidden = false;
  told.textContent = `The viewer cannot start: ${error.message}`;
  throw error;
});
