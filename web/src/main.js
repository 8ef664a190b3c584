// Main: opens the page's case and keeps what is shown in step with what is chosen.

import { at, inverse } from "./affine.js";
import { openCase } from "./case.js";
import { choice, slider, tick } from "./controls.js";
import { tellDetails } from "./details.js";
import { byId } from "./elements.js";
import { listFindings } from "./findings.js";
import { linear, nearest } from "./grid.js";
import { listenToKeys } from "./keyboard.js";
import { percent, place, placeAloud, signed, words } from "./numbers.js";
import { regionsOf } from "./regions.js";
import { inlined, served } from "./source.js";
import { placeOf, placeText, readState, writeState } from "./state.js";
import { drawStrip } from "./strip.js";
import { createView } from "./view.js";

const BY_FINDING = "by finding";
const METHODS = { hirescam: "HiResCAM", gradcam: "Grad-CAM" };
const TOLD_MS = 2000;
const ENDS = { S: ["head", "feet"], A: ["front", "back"], R: ["right", "left"] };
const OPPOSITE = { I: "S", P: "A", L: "R" };

const state = readState(location.hash);
const page = {};  // the open case and its parts

async function start() {
  const offline = byId("file-summary.json") !== null;
  page.cases = offline ? [{ name: "", folder: "" }] : await served("").json("cases.json");
  const wanted = page.cases.findIndex(({ name }) => name === state.case);
  page.index = Math.max(wanted, 0);
  const { name, folder, beside } = page.cases[page.index];
  state.case = page.cases.length > 1 ? name : "";
  page.case = await openCase(offline ? inlined() : served(folder));
  page.other = beside && await openCase(served(beside));
  page.loading = page.case.scan();
  const organs = page.case.organs();
  byId("viewer").hidden = false;
  viewing(true);
  if (offline) setUpReport();
  setUpControls();
  byId("viewer").page = page;  // for those who script it, our tests among them
  page.list = listFindings(page.case.summary.findings, choose);
  page.first = await openView("first");
  page.scan = await page.loading;
  page.organs = await organs;
  await besides();
  await choose(page.case.findings.has(state.finding) ? state.finding : firstLabel(), placeOf(state.at));
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

const firstLabel = () => page.case.summary.findings[0].label;

const openView = (name) =>
  createView(
    byId(`view-${name}`), page.case.scene.scan, page.loading, page.case.scene.colours, moved);

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
  page.strip = drawStrip(finding, sliceEnds(map), goToSlice);
  const limit = page.case.summary.colour_limit;
  style();
  page.first.show(map, limit);
  page.second?.show(beside.map, beside.limit);
  outline();
  captions(label, beside);
  moveTo(mm ?? finding.peak.patient_mm);
  document.title = [words(label), state.case, "hirescam"].filter(Boolean).join(" · ");
  say(`${words(label)}, ${percent(finding.probability)}: ${finding.guarantee.sentence}`);
}

const say = (text) => { byId("said").textContent = text; };

async function mapBeside(label) {
  if (state.beside === "model") {
    const limit = page.other.summary.colour_limit;
    return { map: await page.other.mapOf(label, page.other.method), limit };
  }
  const map = state.beside && await page.case.mapOf(label, state.beside);
  return { map, limit: map ? largest(map.values) : 1 };  // another method has another unit
}

const largest = (values) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;

function captions(label, beside) {
  const named = (name, text) => byId(`view-${name}`).querySelector("figcaption").replaceChildren(text);
  named("first", `${METHODS[page.case.method]} · ${page.case.summary.provenance.model}`);
  if (state.beside === "model")
    named("second", `${METHODS[page.other.method]} · ${page.other.summary.provenance.model}`
      + (beside.map ? "" : " (has no such label)"));
  else if (state.beside) named("second", `${METHODS[state.beside]} · its own scale, ±${beside.limit.toPrecision(2)}`);
}

function outline() {
  const allowed = page.case.scene.allowed[state.finding] ?? [];
  const regions = regionsOf(page.case.scene.scan, page.organs, page.map, allowed);
  for (const view of views()) view.outline(state.outlines === "on" ? regions : []);
}

function moveTo(mm) {
  for (const view of views()) view.moveTo(mm);
  moved(mm);
}

// However one view was moved, the others follow.
function moved(mm) {
  if (!page.map) return;  // a click while everything is being read
  state.at = placeText(mm);
  page.strip?.mark(at(page.map.fromMm, mm)[0]);
  byId("place").textContent = [place(mm), ...valuesAt(mm)].join(" · ");
  for (const view of views()) {
    view.moveTo(mm);
    view.draw();
  }
  remember();
}

// What lies under the crosshair: the scan, and the map as it is drawn.
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

function setUpControls() {
  const names = windowNames();
  state.window = choice("window", names.map((name) => [name, name]), state.window, setWindow).value;
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
  setUpBeside();
  setUpCases();
  byId("copy-link").onclick = copyLink;
  listenToKeys({
    finding: (by) => page.list.step(by),
    openCase: goToCase,
    window: (index) => setWindow(windowNames()[index]),
    toggleOutlines: () => outlines.click(),
    move: nudge,
    singleKeys: () => singleKeys.checked,
  });
}

function setUpBeside() {
  const choices = Object.keys(page.case.scene.maps)
    .filter((method) => method !== page.case.method)
    .map((method) => [method, METHODS[method] ?? method]);
  if (page.other) choices.push(["model", "the other model"]);
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

function windowHu() {
  const { windows_hu: presets, window_of: usual } = page.case.scene;
  return presets[state.window === BY_FINDING ? usual[state.finding] : state.window];
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
  state.window = name;
  byId("window").value = name;
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
  history.replaceState(null, "", writeState({ ...state, case: next.name, at: "" }));
  location.reload();
}

// The second view is made when it is first asked for.
async function besides() {
  byId("view-second").hidden = !state.beside;
  if (state.beside && !page.second) page.second = await openView("second");
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
