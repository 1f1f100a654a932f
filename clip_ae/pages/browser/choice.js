// What the controls ask for.
const controls = document.getElementById("controls");
const { search, score, order } = controls.elements;
const only = controls.elements.class;
const list = document.getElementById("list");
const told = document.getElementById("told");
const scores = Float64Array.from(page.videos.flatMap((video) => video.found.map((found) => found[1]))).sort();
// Where the slider begins: as many detections a video as a picture shows well.
const AT_FIRST = 8;

const ORDERS = {
  name: (a, b) => a.id.localeCompare(b.id),
  longest: (a, b) => b.seconds - a.seconds,
  worst: (a, b) => (a.ap ?? 2) - (b.ap ?? 2),
  best: (a, b) => (b.ap ?? -1) - (a.ap ?? -1),
};

// The slider counts detections: each step hides a thousandth of them, as scores crowd near zero.
function hidden() {
  let count = Math.floor((score.value / score.max) * (scores.length - 1));
  while (count > 0 && scores[count - 1] === scores[count]) count -= 1;
  return Math.max(0, count);
}

const threshold = () => scores[hidden()] ?? 0;

function chosenVideos() {
  const part = search.value.trim().toLowerCase();
  const shows = (video) => [...video.truth, ...video.found].some(([label]) => className(label) === only.value);
  return page.videos
    .filter((video) => video.id.toLowerCase().includes(part) && (!only.value || shows(video)))
    .sort(ORDERS[order.value]);
}

function describeChoice() {
  const shown = scores.length - hidden();
  score.setAttribute("aria-valuetext", `${threshold()} or more`);
  told.textContent =
    `${list.childElementCount} of ${page.videos.length} videos; ` +
    `${shown} of ${scores.length} detections, score ${threshold()} or more`;
}

for (const name of Object.keys(page.colours)) only.add(new Option(name));
score.value = Math.round(score.max * Math.max(0, 1 - (AT_FIRST * page.videos.length) / Math.max(1, scores.length)));
controls.hidden = false;
