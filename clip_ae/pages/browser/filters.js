// The controls above the list: which videos and detections are shown, in which order.
const controls = document.getElementById("controls");
const { search, score, order } = controls.elements;
const classFilter = controls.elements.class;
const filterSummary = document.getElementById("filter-summary");
const allScores = page.videos.flatMap((video) => video.detections.map(([, value]) => value));
const sortedScores = Float64Array.from(allScores).sort();
// The slider starts at this mean number of detections in a video: more would be hard to read.
const INITIAL_DETECTIONS = 8;

const ORDERS = {
  name: (a, b) => a.id.localeCompare(b.id),
  longest: (a, b) => b.duration - a.duration,
  worst: (a, b) => (a.ap ?? 2) - (b.ap ?? 2),
  best: (a, b) => (b.ap ?? -1) - (a.ap ?? -1),
};

// Number of detections that the slider hides. Each step hides a thousandth of them: scores are dense near zero, so
// steps of equal score would hide too many at once.
function countHidden() {
  let count = Math.floor((score.value / score.max) * (sortedScores.length - 1));
  while (count > 0 && sortedScores[count - 1] === sortedScores[count]) count -= 1;
  return Math.max(0, count);
}

const scoreThreshold = () => sortedScores[countHidden()] ?? 0;

const passesClassFilter = ([label]) => !classFilter.value || className(label) === classFilter.value;

function filterVideos() {
  const namePart = search.value.trim().toLowerCase();
  const text = searchedText();
  const sorted = text ? videosOfText(text) : page.videos.toSorted(ORDERS[order.value]);
  return sorted
    .filter((video) => video.id.toLowerCase().includes(namePart))
    .filter((video) => !classFilter.value || [...video.ground_truth, ...video.detections].some(passesClassFilter));
}

function describeFilters(videos) {
  const minScore = scoreThreshold();
  const detections = videos.flatMap((video) => video.detections.filter(passesClassFilter));
  const shown = detections.filter(([, value]) => value >= minScore);
  score.setAttribute("aria-valuetext", `${rounded(minScore)} or more`);
  filterSummary.textContent =
    `${videos.length} of ${page.videos.length} videos; ` +
    `${shown.length} of ${detections.length} detections, score ${rounded(minScore)} or more`;
}

const shownClasses = new Set(
  page.videos.flatMap((video) => [...video.ground_truth, ...video.detections].map(([label]) => className(label))),
);
for (const name of Object.keys(page.colours)) if (shownClasses.has(name)) classFilter.add(new Option(name, name));
const hiddenShare = 1 - (INITIAL_DETECTIONS * page.videos.length) / Math.max(1, sortedScores.length);
score.value = Math.round(score.max * Math.max(0, hiddenShare));
controls.hidden = false;
