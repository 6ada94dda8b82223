// Sorts and filters the table of claims; the state stands in the address (#verdict=fails&sort=n), so a view can be sent.
"use strict";
const body = document.querySelector("#claims-table tbody");
const heads = [...document.querySelectorAll("#claims-table th[data-key]")];
const rows = [...body.rows];
rows.forEach((row, index) => { row.dataset.index = index; row.words = row.textContent.toLowerCase(); });
const filters = {
  text: document.getElementById("filter-text"),
  verdict: document.getElementById("filter-verdict"),
  words: document.getElementById("filter-words"),
};
const state = { sort: "", direction: "ascending" };

function cellValue(row, column) {
  const cell = row.cells[column];
  const value = "sort" in cell.dataset ? cell.dataset.sort : cell.textContent.trim();
  return value === "" ? null : value;
}

function compare(a, b) {
  const x = Number(a), y = Number(b);
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
}

function show() {
  const words = filters.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = (filters.text.value !== "" && row.dataset.text !== filters.text.value)
      || (filters.verdict.value !== "" && row.dataset.verdict !== filters.verdict.value)
      || !words.every((word) => row.words.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("shown").textContent = `${shown} of ${rows.length} claims`;
}

function sort() {
  const column = heads.findIndex((head) => head.dataset.key === state.sort);
  heads.forEach((head, index) => head.setAttribute("aria-sort", index === column ? state.direction : "none"));
  const sign = state.direction === "descending" ? -1 : 1;
  body.append(...[...rows].sort((a, b) => {
    if (column >= 0) {
      const x = cellValue(a, column), y = cellValue(b, column);
      if ((x === null) !== (y === null)) return x === null ? 1 : -1;  // empty cells last, in both directions
      const order = x === null ? 0 : sign * compare(x, y);
      if (order !== 0) return order;
    }
    return a.dataset.index - b.dataset.index;
  }));
}

function remember() {
  const fields = new URLSearchParams();
  for (const [name, field] of Object.entries(filters)) if (field.value) fields.set(name, field.value);
  if (state.sort) { fields.set("sort", state.sort); fields.set("direction", state.direction); }
  history.replaceState(null, "", "#" + (fields.toString() || "claims"));
}

function recall() {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (![...Object.keys(filters), "sort"].some((name) => fields.has(name))) return;  // a link to a section
  for (const [name, field] of Object.entries(filters)) field.value = fields.get(name) ?? "";
  state.sort = fields.get("sort") ?? "";
  state.direction = fields.get("direction") === "descending" ? "descending" : "ascending";
}

heads.forEach((head) => head.querySelector("button").addEventListener("click", () => {
  const again = state.sort === head.dataset.key && state.direction === "ascending";
  state.sort = head.dataset.key;
  state.direction = again ? "descending" : "ascending";
  sort();
  remember();
}));
for (const field of Object.values(filters)) field.addEventListener("input", () => { show(); remember(); });
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", () => { recall(); show(); sort(); });
recall();
show();
sort();
