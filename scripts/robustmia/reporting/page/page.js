"use strict";
// Tables sort by the column whose heading is pressed: numbers from the highest at first, empty cells last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const values = [...body.rows].map((row) => row.cells[column].dataset.value);
      const isText = values.some((value) => value !== "" && Number.isNaN(Number(value)));
      const before = heading.getAttribute("aria-sort");
      const ascending = before ? before === "descending" : isText;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const sign = ascending ? 1 : -1;
      const rows = [...body.rows].map((row, place) => ({ row, place, value: values[place] }));
      rows.sort((a, b) => {
        if (a.value === "" || b.value === "") return (a.value === "") - (b.value === "") || a.place - b.place;
        const order = isText ? a.value.localeCompare(b.value) : Number(a.value) - Number(b.value);
        return sign * order || a.place - b.place;
      });
      body.append(...rows.map((entry) => entry.row));
    });
  });
}
// Light or dark: as the system has it, unless the button is pressed.
const theme = document.getElementById("theme");
const isDark = () =>
  (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const label = () => { theme.textContent = isDark() ? "light" : "dark"; };
theme.hidden = false;
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  label();
});
label();
// On paper everything is open.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.table")) details.open = true;
});
