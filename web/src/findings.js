// Findings: the list of labels, with search, order and filters, and what is known of one.

import { byId, make, percent, place, probability, signed, words } from "./state.js";

const ELSEWHERE = "other";
const LIKELY = 0.5;
const GROUPED = "by organ";

// --- the list -----------------------------------------------------------------------------------

export function listFindings({ summary, scene }, onChoose) {
  const { findings } = summary;
  const list = byId("findings-list");
  const search = byId("findings-search");
  const [order, filter] = [byId("findings-order"), byId("findings-filter")];
  const facts = new Map(findings.map((finding) => [finding.label, factsOf(finding, summary, scene)]));
  const rows = new Map(findings.map((finding, index) =>
    [finding.label, row(finding, index, facts.get(finding.label))]));
  const heads = new Map();
  for (const label of rows.keys()) {
    const { group } = facts.get(label);
    if (!heads.has(group)) heads.set(group, make("li", { class: "head", role: "presentation" }, words(group)));
  }
  search.value = "";
  let shown = [...rows.keys()];

  // Within a group, as in the whole list, the most probable come first.
  function arrange() {
    for (const head of heads.values()) head.remove();
    if (order.value !== GROUPED) list.replaceChildren(...rows.values());
    else list.replaceChildren(...[...heads].flatMap(([group, head]) =>
      [head, ...[...rows].filter(([label]) => facts.get(label).group === group).map(([, item]) => item)]));
    narrow();
  }

  function narrow() {
    const asked = search.value.trim().toLowerCase().split(/[\s_-]+/).filter(Boolean);
    const fits = FILTERS[filter.value]?.fits ?? (() => true);
    for (const [label, item] of rows) {
      const fact = facts.get(label);
      const hidden = !(fits(fact) && matches(fact.terms, asked));
      if (item.hidden !== hidden) item.hidden = hidden;
    }
    shown = [...list.querySelectorAll("[data-label]:not([hidden])")].map((item) => item.dataset.label);
    const groups = new Set(shown.map((label) => facts.get(label).group));
    for (const [group, head] of heads) head.hidden = !groups.has(group);
    byId("findings-none").hidden = shown.length > 0;
    byId("said").textContent = `${shown.length} of ${rows.size} findings`;
    pointOut();
  }

  const step = (by) => {
    const now = shown.indexOf(list.dataset.chosen);
    const next = shown[Math.min(Math.max(now + by, 0), shown.length - 1)];
    if (next) onChoose(next);
  };
  const keys = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1),
    Home: () => step(-rows.size), End: () => step(rows.size),
  };
  // What a screen reader takes for the current row, unless the search hides it.
  const pointOut = () => {
    const item = rows.get(list.dataset.chosen);
    if (!item || item.hidden) list.removeAttribute("aria-activedescendant");
    else list.setAttribute("aria-activedescendant", item.id);
  };
  list.onkeydown = (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  };
  list.onclick = (event) => {
    const item = event.target.closest("[data-label]");
    if (item) onChoose(item.dataset.label);
  };
  search.oninput = narrow;
  search.onkeydown = (event) => {
    if (event.key === "Enter" && shown.length) onChoose(shown[0]);
    if (event.key === "Escape") { search.value = ""; search.oninput(); list.focus(); }
  };
  order.replaceChildren(...["by score", GROUPED].map((name) => make("option", { value: name }, name)));
  filter.replaceChildren(...Object.entries(FILTERS)
    .filter(([, { needs }]) => needs === undefined || needs(scene))
    .map(([value, { text }]) => make("option", { value }, text)));
  order.onchange = arrange;
  filter.onchange = narrow;
  arrange();
  return {
    step,
    mark(label) {
      rows.get(list.dataset.chosen)?.setAttribute("aria-selected", false);
      list.dataset.chosen = label;
      rows.get(label).setAttribute("aria-selected", true);
      pointOut();
      rows.get(label).scrollIntoView({ block: "nearest" });
    },
  };
}

const FILTERS = {
  all: { text: "all findings", fits: () => true },
  likely: { text: "above 50 %", fits: ({ likely }) => likely },
  report: { text: "in the report", fits: ({ status }) => status !== null, needs: ({ words: said }) => Boolean(said) },
  differ: { text: "report disagrees", fits: ({ agrees }) => agrees === false, needs: ({ words: said }) => Boolean(said) },
  doubted: { text: "doubted", fits: ({ doubted }) => doubted },
};

// What the list knows of a finding beside its score.
function factsOf(finding, summary, scene) {
  const { label } = finding;
  const passages = scene.words?.[label] ?? [];
  const said = passages.map(({ status }) => status);
  const status = said.includes("present") ? "present" : said[0] ?? null;
  const likely = finding.probability >= LIKELY;
  const masks = summary.organs?.masks ?? {};
  const doubtedOrgan = (scene.allowed[label] ?? []).some((organ) => masks[organ] && !masks[organ].trusted);
  return {
    group: scene.groups?.[label] ?? ELSEWHERE,
    status,
    agrees: status === "present" || status === "absent" ? (status === "present") === likely : null,
    likely,
    doubted: !finding.guarantee.holds_for_method || doubtedOrgan,
    terms: [label, ...(scene.synonyms?.[label] ?? [])].map((term) => term.toLowerCase().split(/[\s_-]+/)),
  };
}

// Every word asked for begins a word of one and the same term; "*" in a term stands for any ending.
const matches = (terms, asked) => terms.some((term) => asked.every((word) => term.some((own) =>
  own.endsWith("*") ? word.startsWith(own.slice(0, -1)) || own.startsWith(word) : own.startsWith(word))));

function row(finding, index, { status, agrees }) {
  const meter = make("meter", { min: 0, max: 1, value: finding.probability, "aria-hidden": true });
  const told = agrees === null ? "" : agrees ? "✓" : "✗";
  const meaning = { "✓": `the report agrees: ${status}`, "✗": `the report says ${status}` }[told];
  const tick = make("i", meaning ? { class: agrees ? "agrees" : "differs", role: "img", "aria-label": meaning, title: meaning } : {}, told);
  return make("li", {
    id: `finding-row-${index}`, role: "option", "data-label": finding.label,
    "aria-selected": false, title: words(finding.label),
  }, make("span", {}, words(finding.label)), tick, meter, " ", make("b", {}, probability(finding.probability)));
}

// --- one finding in words and numbers ---------------------------------------------------------------

export function tellDetails({ summary, scene }, finding) {
  const { guarantee, peak } = finding;
  byId("details").replaceChildren(
    make("h2", {}, words(finding.label)),
    list([
      ["probability", probability(finding.probability)],
      ["score", signed(finding.score)],
    ], "big"),
    make("p", { class: guarantee.holds_for_method ? "verdict" : "verdict not" },
      make("b", {}, guarantee.holds_for_method ? "Map exact." : "Map not exact."), " ", guarantee.sentence,
      " This is about the map; whether the finding is right it cannot say."),
    section("Evidence", list([
      ["raised by", signed(finding.positive_evidence), "raised"],
      ["lowered by", signed(finding.negative_evidence), "lowered"],
      ["offset", signed(finding.offset)],
      ["peak", `${signed(peak.value)} at ${place(peak.patient_mm)}`],
    ])),
    ...organs(finding),
    ...report(scene, finding.label),
    section("Model", list([
      ["name", summary.provenance.model],
      ["trained on", summary.provenance.trained_on],
      ["maps", `${summary.provenance.method}, layer ${summary.provenance.layer}`],
    ]), ...summary.provenance.notes.map((note) => make("p", { class: "note" }, note))),
  );
}

function section(title, ...content) {
  return make("section", {}, make("h3", {}, title), ...content);
}

function list(rows, kind = "") {
  return make("dl", { class: kind }, ...rows.flatMap(([name, value, colour = ""]) =>
    [make("dt", {}, name), make("dd", { class: colour }, value)]));
}

function organs({ organs: told }) {
  if (!told) return [];
  const share = (value) => value === null ? "–" : percent(value);
  const rows = Object.entries(told.positive).map(([name, positive]) => make("tr", {},
    make("th", { scope: "row" }, words(name)),
    make("td", {}, share(positive)), make("td", {}, share(told.negative[name]))));
  const head = make("tr", {}, make("td"),
    make("th", { class: "raised", scope: "col" }, "raised"),
    make("th", { class: "lowered", scope: "col" }, "lowered"));
  return [section("Where it lies", make("p", {}, told.sentence), make("table", { "aria-label": "Share of the evidence by place" }, head, ...rows))];
}

function report({ words: said }, label) {
  if (!said) return [];
  const passages = said[label] ?? [];
  const quotes = passages.map(({ before, evidence, after, status }) =>
    make("blockquote", { class: status }, before, make("mark", {}, evidence), after,
      make("cite", {}, status)));
  const none = [make("p", { class: "note" }, "The report says nothing of it.")];
  return [section("In the report", ...(quotes.length ? quotes : none))];
}
