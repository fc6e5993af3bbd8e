"use strict";
const root = document.documentElement;

// Light and dark: as the system has it, until the reader chooses.
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// Columns of a leaderboard sort by their values.
for (const button of document.querySelectorAll(".board thead button")) {
  button.addEventListener("click", () => {
    const cell = button.closest("th"), table = button.closest("table");
    const column = [...cell.parentNode.children].indexOf(cell);
    const order = cell.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
    for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", order);
    const value = (row) => {
      const told = row.children[column].dataset.v;
      const number = Number(told);
      return told === undefined || told === "" ? -Infinity : Number.isNaN(number) ? told : number;
    };
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * (order === "ascending" ? 1 : -1);
    });
    table.tBodies[0].append(...rows);
  });
}

// What a mark or a cell tells when it is pointed at.
const tip = document.getElementById("tip");
document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest("[data-tip]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const box = mark.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(box.left + box.width / 2 - own.width / 2, 8), innerWidth - own.width - 8);
  tip.style.left = left + "px";
  tip.style.top = (box.top > own.height + 12 ? box.top - own.height - 6 : box.bottom + 6) + "px";
});

// A replay is a whole page with a viewer of its own: it is begun when it is asked for.
for (const button of document.querySelectorAll("[data-replay]")) {
  button.addEventListener("click", () => {
    const frame = document.createElement("iframe");
    frame.title = "3-D replay: " + button.title;
    frame.srcdoc = JSON.parse(document.getElementById(button.dataset.replay).textContent);
    document.getElementById(button.dataset.stage).replaceChildren(frame);
    for (const other of button.parentNode.children) other.setAttribute("aria-pressed", other === button);
  });
}

// All films of a section at once, from their beginnings.
for (const button of document.querySelectorAll("[data-films]")) {
  button.addEventListener("click", () => {
    for (const film of document.querySelectorAll("#" + button.dataset.films + " video")) {
      film.currentTime = 0;
      film.play();
    }
  });
}
