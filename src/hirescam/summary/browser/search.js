/* Search: shows only the findings of a report whose name holds what is typed. */

const search = document.getElementById("search");
const named = document.querySelectorAll("[data-name]");
search.hidden = false;
search.addEventListener("input", () => {
  const wanted = search.value.trim().toLowerCase();
  for (const item of named) item.hidden = !item.dataset.name.includes(wanted);
  document.getElementById("nothing").hidden = [...named].some((item) => !item.hidden);
});
