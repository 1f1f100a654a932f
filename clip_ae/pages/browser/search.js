// Search for a text of the vocabulary; the moments of each text are in the page, best first.
const texts = page.texts ?? [];
// null on a page without search.
const searchText = document.getElementById("search-text");
const searchSummary = document.getElementById("search-summary");

const searchInput = () => searchText.value.trim().toLowerCase();

// The text, with its moments, that equals the input; undefined if there is none.
function searchedText() {
  const exact = texts.find(([text]) => text === searchText.value);
  return exact ?? texts.find(([text]) => text.toLowerCase() === searchInput());
}

// Texts that contain each word of the input.
function matchingTexts() {
  const words = searchInput().split(/\s+/);
  return texts.filter(([text]) => words.every((word) => text.toLowerCase().includes(word)));
}

const videosOfText = ([, moments]) => [...new Set(moments.map(([videoIndex]) => page.videos[videoIndex]))];

function momentsOf(video) {
  const [name, moments] = searchedText() ?? ["", []];
  return moments
    .filter(([videoIndex]) => page.videos[videoIndex] === video)
    .map(([, start, stop, score]) => ({ kind: "moment", name, start, stop, score }));
}

const formatCount = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function summarizeSearch(videos) {
  if (!searchInput()) return "";
  if (searchedText()) {
    const moments = formatCount(videos.flatMap(momentsOf).length, "moment");
    return `${moments} in ${formatCount(videos.length, "video")}; scores are estimates of a network`;
  }
  const matchCount = matchingTexts().length;
  if (matchCount) return `${formatCount(matchCount, "matching text")} in the vocabulary`;
  return "not in the vocabulary; to search for any sentence, run clip-ae ground";
}

function describeSearch(videos) {
  if (searchSummary) searchSummary.textContent = summarizeSearch(videos);
}
