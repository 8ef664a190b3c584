// Findings: the list of labels, the most probable first, with search and arrow keys.

import { byId, make } from "./elements.js";
import { percent, words } from "./numbers.js";

export function listFindings(findings, onChoose) {
  const list = byId("findings-list");
  const search = byId("findings-search");
  const rows = new Map(findings.map((finding, index) => [finding.label, row(finding, index)]));
  list.replaceChildren(...rows.values());
  search.value = "";

  const seen = () => [...rows].filter(([, item]) => !item.hidden).map(([label]) => label);
  const step = (by) => {
    const labels = seen();
    const now = labels.indexOf(list.dataset.chosen);
    const next = labels[Math.min(Math.max(now + by, 0), labels.length - 1)];
    if (next) onChoose(next);
  };
  const keys = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1),
    Home: () => step(-rows.size), End: () => step(rows.size),
  };
  // What a screen reader takes for the current row, unless the search hides it.
  const pointOut = () => {
    const item = rows.get(list.dataset.chosen);
    if (item.hidden) list.removeAttribute("aria-activedescendant");
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
  search.oninput = () => {
    const wanted = search.value.trim().toLowerCase().replaceAll(" ", "_");
    for (const [label, item] of rows)
      item.hidden = !label.toLowerCase().replaceAll(" ", "_").includes(wanted);
    const found = seen();
    byId("findings-none").hidden = found.length > 0;
    byId("said").textContent = `${found.length} of ${rows.size} findings`;
    pointOut();
  };
  search.onkeydown = (event) => {
    if (event.key === "Enter" && seen().length) onChoose(seen()[0]);
    if (event.key === "Escape") { search.value = ""; search.oninput(); list.focus(); }
  };
  return {
    step,
    mark(label) {
      for (const [name, item] of rows) item.setAttribute("aria-selected", name === label);
      list.dataset.chosen = label;
      pointOut();
      rows.get(label).scrollIntoView({ block: "nearest" });
    },
  };
}

function row(finding, index) {
  const meter = make("meter", { min: 0, max: 1, value: finding.probability, "aria-hidden": true });
  return make("li", {
    id: `finding-row-${index}`, role: "option", "data-label": finding.label,
    "aria-selected": false, title: words(finding.label),
  }, make("span", {}, words(finding.label)), meter, " ", make("b", {}, percent(finding.probability)));
}
