// What the controls ask for.
const controls = document.getElementById("controls");
const { search, score, order } = controls.elements;
const only = controls.elements.class;
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

const ofClass = ([label]) => !only.value || className(label) === only.value;

function chosenVideos() {
  const part = search.value.trim().toLowerCase();
  const listed = asked() ? videosLike(asked()) : page.videos.toSorted(ORDERS[order.value]);
  return listed
    .filter((video) => video.id.toLowerCase().includes(part))
    .filter((video) => !only.value || [...video.truth, ...video.found].some(ofClass));
}

function describeChoice(listed) {
  const from = threshold();
  const found = listed.flatMap((video) => video.found.filter(ofClass));
  const shown = found.filter(([, value]) => value >= from);
  score.setAttribute("aria-valuetext", `${rounded(from)} or more`);
  told.textContent =
    `${listed.length} of ${page.videos.length} videos; ` +
    `${shown.length} of ${found.length} detections, score ${rounded(from)} or more`;
}

const present = new Set(page.videos.flatMap((video) => [...video.truth, ...video.found].map(([label]) => className(label))));
for (const name of Object.keys(page.colours)) if (present.has(name)) only.add(new Option(name, name));
score.value = Math.round(score.max * Math.max(0, 1 - (AT_FIRST * page.videos.length) / Math.max(1, scores.length)));
controls.hidden = false;
