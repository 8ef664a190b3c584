// Details: what is known of one finding, in words and numbers.

import { byId, make } from "./elements.js";
import { percent, place, signed, words } from "./numbers.js";

export function tellDetails({ summary, scene }, finding) {
  const { guarantee, peak } = finding;
  byId("details").replaceChildren(
    make("h2", {}, words(finding.label)),
    facts([
      ["probability", percent(finding.probability)],
      ["score", signed(finding.score)],
    ], "big"),
    make("p", { class: guarantee.holds_for_method ? "verdict" : "verdict not" }, guarantee.sentence),
    section("Evidence", facts([
      ["raised by", signed(finding.positive_evidence), "raised"],
      ["lowered by", signed(finding.negative_evidence), "lowered"],
      ["offset", signed(finding.offset)],
      ["peak", `${signed(peak.value)} at ${place(peak.patient_mm)}`],
    ])),
    ...organs(finding),
    ...report(scene, finding.label),
    section("Model", facts([
      ["name", summary.provenance.model],
      ["trained on", summary.provenance.trained_on],
      ["maps", `${summary.provenance.method}, layer ${summary.provenance.layer}`],
    ]), ...summary.provenance.notes.map((note) => make("p", { class: "note" }, note))),
  );
}

function section(title, ...content) {
  return make("section", {}, make("h3", {}, title), ...content);
}

function facts(rows, kind = "") {
  return make("dl", { class: kind }, ...rows.flatMap(([name, value, colour = ""]) =>
    [make("dt", {}, name), make("dd", { class: colour }, value)]));
}

function organs({ organs }) {
  if (!organs) return [];
  const share = (value) => value === null ? "–" : percent(value);
  const rows = Object.entries(organs.positive).map(([name, positive]) => make("tr", {},
    make("th", { scope: "row" }, words(name)),
    make("td", {}, share(positive)), make("td", {}, share(organs.negative[name]))));
  const head = make("tr", {}, make("td"),
    make("th", { class: "raised", scope: "col" }, "raised"),
    make("th", { class: "lowered", scope: "col" }, "lowered"));
  return [section("Where it lies", make("p", {}, organs.sentence), make("table", { "aria-label": "Share of the evidence by place" }, head, ...rows))];
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
