"use strict";

const AHEAD = "800px"; // rows are filled this far outside the window
const element = (id) => document.getElementById(id);
const clone = (id) => element(id).content.cloneNode(true);
const count = (number) => number.toLocaleString("en");
const min = (a, b) => Math.min(a, b);

const data = JSON.parse(element("data").textContent);
const lowest = data.queries.flatMap(([, , values]) => values.slice(-1)).reduce(min, 1);
let threshold = data.threshold ? data.threshold.similarity : lowest;
let current; // the row that the keys start from

// ---- Rows: filled only near the window, so that thousands of queries stay fast ----

const rows = data.queries.map(([query], index) => {
  const row = document.createElement("li");
  row.className = "row";
  row.tabIndex = -1;
  row.setAttribute("aria-label", data.names[query]);
  row.index = index;
  return row;
});

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) fill(target);
      else target.replaceChildren();
    }
  },
  { rootMargin: AHEAD },
);

function fill(row) {
  const [query, found, similarities] = data.queries[row.index];
  const content = clone("row");
  content.querySelector(".name").textContent = data.names[query];
  content.querySelector(".query").append(tile(query, "query", ""));
  const matches = content.querySelector(".matches");
  matches.setAttribute("aria-label", `Matches of ${data.names[query]}`);
  for (const [index, picture] of found.entries()) {
    const match = document.createElement("li");
    match.append(tile(picture, index + 1, similarities[index].toFixed(4)));
    matches.append(match);
  }
  row.replaceChildren(content);
  mark(row);
}

function tile(picture, rank, similarity) {
  const content = clone("tile");
  const file = content.querySelector(".file");
  file.title = data.names[picture];
  file.textContent = file.title.split("/").pop();
  content.querySelector(".rank").textContent = rank;
  content.querySelector(".similarity").textContent = similarity;
  if (data.thumbnails[picture]) show(picture, content);
  else content.querySelector(".picture").textContent = "cannot be read";
  return content;
}

function show(picture, content) {
  const image = content.querySelector("img");
  const overlay = content.querySelector("svg");
  image.onload = () => {
    overlay.setAttribute("viewBox", `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
    if (data.grid) cover(overlay.firstElementChild, picture, image);
  };
  image.src = `data:image/webp;base64,${data.thumbnails[picture]}`;
}

// Draws the patches that DPSM dropped; the grid is stretched over the image.
function cover(path, picture, image) {
  const [height, width] = data.grid;
  const bits = atob(data.kept[picture]);
  const isKept = (patch) => (bits.charCodeAt(patch >> 3) >> (7 - (patch & 7))) & 1;
  const patches = Array.from({ length: height * width }, (_, patch) => patch);
  const dropped = patches.filter((patch) => !isKept(patch));
  const squares = dropped.map((patch) => `M${patch % width} ${Math.floor(patch / width)}h1v1h-1z`);
  path.setAttribute("d", squares.join(""));
  const scale = [image.naturalWidth / width, image.naturalHeight / height];
  path.setAttribute("transform", `scale(${scale})`);
}

// ---- Threshold ----

function mark(row) {
  const similarities = data.queries[row.index][2];
  const matches = row.querySelectorAll(".matches > li");
  matches.forEach((match, i) => match.classList.toggle("accepted", similarities[i] >= threshold));
  row.querySelector(".count").textContent = `${accepted(similarities)} accepted`;
}

// Number of similarities, which fall, from the threshold.
function accepted(similarities) {
  const below = similarities.findIndex((similarity) => similarity < threshold);
  return below < 0 ? similarities.length : below;
}

function accept(from) {
  threshold = from;
  element("value").textContent = threshold.toFixed(4);
  rows.filter((row) => row.hasChildNodes()).forEach(mark);
  const counts = data.queries.map(([, , similarities]) => accepted(similarities));
  const total = counts.reduce((sum, each) => sum + each, 0);
  const some = counts.filter((each) => each > 0).length;
  element("accepted").textContent = `Accepted: ${count(total)} matches of ${count(some)} queries`;
}

function reset() {
  accept(data.threshold ? data.threshold.similarity : lowest);
  element("threshold").value = threshold;
}

function about() {
  if (!data.threshold) return "The run states no threshold: choose one with the slider.";
  const { similarity, false_positive_rate: rate, dataset } = data.threshold;
  const expected = (rate * data.gallery).toLocaleString("en", { maximumSignificantDigits: 2 });
  return (
    `The slider starts at the run's threshold, ${similarity.toFixed(4)}. It is a threshold of ` +
    `pairs: in the test set ${dataset}, at most 1 of ${count(Math.round(1 / rate))} pairs of two ` +
    `people reaches it. A query is compared with ${count(data.gallery)} pictures, so at this rate ` +
    `expect about ${expected} false matches per query; other cameras and people have other rates.`
  );
}

// ---- Steps, filter and keys ----

function isOnScreen(row) {
  const { top, bottom } = row.getBoundingClientRect();
  const middle = (top + bottom) / 2;
  return middle > element("tools").getBoundingClientRect().bottom && middle < window.innerHeight;
}

// Goes to the query `by` rows further, or to the first in the window if it was scrolled away.
function step(by) {
  const shown = rows.filter((row) => !row.hidden);
  const at = isOnScreen(current) ? shown.indexOf(current) + by : shown.findIndex(isOnScreen);
  const row = shown[at];
  if (!row) return;
  row.scrollIntoView({ block: "start" });
  row.focus({ preventScroll: true });
}

function choose(row) {
  if (current) current.removeAttribute("aria-current");
  current = row;
  current.setAttribute("aria-current", "true");
  element("position").textContent = `${count(row.index + 1)} of ${count(rows.length)}`;
}

function search() {
  const text = element("filter").value.trim().toLowerCase();
  for (const row of rows) {
    row.hidden = !row.getAttribute("aria-label").toLowerCase().includes(text);
  }
  const first = rows.find((row) => !row.hidden);
  element("empty").hidden = first !== undefined;
  if (first && current.hidden) choose(first);
}

function toggleOverlay() {
  const isOn = document.body.classList.toggle("overlay");
  element("overlay").setAttribute("aria-pressed", isOn);
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  o: () => data.grid && toggleOverlay(),
  "/": () => element("filter").focus(),
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target === element("filter");
  if (isTyping && event.key === "Escape") event.target.blur();
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

element("next").addEventListener("click", keys.j);
element("previous").addEventListener("click", keys.k);
element("overlay").addEventListener("click", keys.o);
element("reset").addEventListener("click", reset);
element("threshold").addEventListener("input", (event) => accept(Number(event.target.value)));
element("filter").addEventListener("input", search);
element("queries").addEventListener("focusin", (event) => choose(event.target.closest(".row")));
new ResizeObserver(([{ target }]) => {
  const covered = target.offsetHeight + parseFloat(getComputedStyle(target).top);
  document.documentElement.style.scrollPaddingTop = `${covered}px`;
}).observe(element("tools"));

element("summary").textContent =
  `${count(rows.length)} queries, ${count(data.gallery)} pictures in the gallery`;
element("about").textContent = about();
element("overlay").hidden = !data.grid;
element("threshold").min = Math.floor(lowest * 100) / 100;
element("threshold").max = 1;
element("queries").append(...rows);
choose(rows[0]);
reset();
rows.forEach((row) => observer.observe(row));
