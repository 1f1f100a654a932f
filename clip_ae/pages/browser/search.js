// What is searched: a text of the vocabulary, whose moments lie in the page, the best first.
const texts = page.texts ?? [];
// Neither is there where there is nothing to search.
const wanted = document.getElementById("wanted");
const matched = document.getElementById("matched");

const typed = () => wanted.value.trim().toLowerCase();

// The text that stands in the box in full.
function asked() {
  const exact = texts.find(([text]) => text === wanted.value);
  return exact ?? texts.find(([text]) => text.toLowerCase() === typed());
}

// Texts that have all that is typed, word by word.
function textsLike() {
  const words = typed().split(/\s+/);
  return texts.filter(([text]) => words.every((word) => text.toLowerCase().includes(word)));
}

const videosLike = ([, moments]) => [...new Set(moments.map(([place]) => page.videos[place]))];

function momentsOf(video) {
  const [name, moments] = asked() ?? ["", []];
  return moments
    .filter(([place]) => page.videos[place] === video)
    .map(([, start, stop, score]) => ({ kind: "moment", name, start, stop, score }));
}

const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function wordsOfSearch(listed) {
  if (!typed()) return "";
  if (asked()) {
    const moments = counted(listed.flatMap(momentsOf).length, "moment");
    return `${moments} in ${counted(listed.length, "video")}; scores are guesses of a network`;
  }
  const like = textsLike().length;
  if (like) return `${counted(like, "text")} of the vocabulary`;
  return "no such word in the vocabulary; for any sentence: clip-ae ground";
}

function describeMoments(listed) {
  if (matched) matched.textContent = wordsOfSearch(listed);
}
