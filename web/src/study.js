// Study: a reader's questions about each finding, answered by keyboard or mouse, sent as given.

import { byId, make, placeOf, words } from "./state.js";

// `study.json` says what is asked, in which order, and what this reader has answered before.
export async function openStudy({ page, state, choose, goToCase, say }) {
  const told = await (await fetch("study.json")).json();
  const name = page.cases[page.index].name;
  const labels = told.findings[name] ?? [];
  const answers = new Map(told.answers.map((one) => [keyOf(one.case, one.finding, one.question), one.answer]));
  let shownAt = performance.now();
  let label = labels[0];
  const panel = byId("study");
  panel.hidden = false;
  const answered = (each, question) => answers.has(keyOf(name, each, question));
  const openOf = (each) => told.questions.filter(({ id }) => !answered(each, id));

  const done = () => Object.keys(told.findings).reduce((sum, one) => sum + told.findings[one]
    .reduce((inner, each) => inner + told.questions.filter(({ id }) => answers.has(keyOf(one, each, id))).length, 0), 0);
  const all = Object.values(told.findings).reduce((sum, of) => sum + of.length * told.questions.length, 0);

  async function answer(question, value) {
    const sent = {
      case: name, finding: label, question, answer: String(value),
      seconds: Number(((performance.now() - shownAt) / 1000).toFixed(2)),
    };
    const reply = await fetch("answer", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(sent),
    });
    if (!reply.ok) {
      byId("study-problem").textContent = `The answer was not kept: ${(await reply.text()).trim()}`;
      return;
    }
    byId("study-problem").textContent = "";
    answers.set(keyOf(name, label, question), String(value));
    say(`${question}: ${value}`);
    if (openOf(label).length === 0) await next();
    else paint();
  }

  // The next finding of this case that is open, or the next case that has one.
  async function next() {
    const open = labels.find((each) => openOf(each).length);
    if (open) return choose(open);
    paint();
    if (done() < all && page.index + 1 < page.cases.length) goToCase(1);
    return undefined;
  }

  function paint() {
    const asked = openOf(label)[0] ?? null;
    byId("study-progress").textContent = `${done()} of ${all} answers`;
    byId("study-finding").textContent = label ? words(label) : "no finding is asked for here";
    byId("study-questions").replaceChildren(...told.questions.map((question) => field(question, question === asked)));
  }

  function field({ id, text, choices, point }, isNext) {
    const given = answers.get(keyOf(name, label, id));
    const buttons = point
      ? [make("button", { type: "button", "data-point": id }, "the crosshair is there (Enter)")]
      : choices.map((value, index) => make("button", {
        type: "button", "data-choice": value, "aria-pressed": given === value,
      }, `${index + 1} ${value}`));
    const box = make("fieldset", { class: isNext ? "next" : "", "data-question": id }, make("legend", {}, text), ...buttons,
      make("output", {}, given ? `answered: ${given}` : ""));
    buttons.forEach((button, index) => {
      button.onclick = () => answer(id, point ? placeOf(state.at).map((x) => x.toFixed(1)).join(" ") : choices[index]);
    });
    return box;
  }

  // Digits answer the question that is next; Enter takes the crosshair.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, dialog")) return;
    const asked = openOf(label)[0];
    if (!asked) return;
    const choice = asked.choices?.[Number(event.key) - 1];
    const pointing = asked.point && event.key === "Enter" && !event.target.closest("button");
    if (!choice && !pointing) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    answer(asked.id, pointing ? placeOf(state.at).map((x) => x.toFixed(1)).join(" ") : choice);
  }, true);

  const study = {
    onFinding(chosen) {
      if (!labels.includes(chosen)) return;
      label = chosen;
      shownAt = performance.now();
      paint();
    },
  };
  paint();
  const first = labels.find((each) => openOf(each).length);
  if (first) {
    label = first;
    page.study = study;
    await choose(first);
  } else if (done() < all) {
    const later = page.cases.findIndex((one, index) => index > page.index
      && (told.findings[one.name] ?? []).some((each) => told.questions.some(({ id }) => !answers.has(keyOf(one.name, each, id)))));
    if (later > 0) goToCase(later - page.index);
  }
  return study;
}

const keyOf = (...parts) => JSON.stringify(parts);
