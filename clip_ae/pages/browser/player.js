// The video itself, beside its timeline, where its file can be found.
const player = document.getElementById("player");
const film = player.querySelector("video");
const note = player.querySelector(".note");
const chooser = player.querySelector("label");
// Files of a folder that a person has chosen, by name.
const chosen = new Map();
// `opener` had the keyboard when it began.
const playing = { card: null, second: 0, opener: null };
let frame = 0;

const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);

function play(card, second) {
  const same = playing.card === card && film.readyState > 0;
  hidePlayhead();
  Object.assign(playing, { card, second, opener: document.activeElement });
  player.hidden = false;
  player.querySelector("b").textContent = card.video.id;
  if (same) seek();
  else load();
}

function load() {
  const path = playing.card.video.file;
  const file = chosen.get(fileName(path));
  note.textContent = "";
  chooser.hidden = true;
  if (film.src.startsWith("blob:")) URL.revokeObjectURL(film.src);
  film.src = file ? URL.createObjectURL(file) : path.split("/").map(encodeURIComponent).join("/");
}

function seek() {
  // Closed before the file was ready.
  if (player.hidden) return;
  film.currentTime = Math.min(Math.max(0, playing.second), film.duration || Infinity);
  // A browser may want a click on the video itself first; then the frame stands there, which will do.
  film.play().catch(() => {});
}

function stop() {
  film.pause();
  if (player.contains(document.activeElement)) giveKeyboardBack();
  player.hidden = true;
  hidePlayhead();
}

// A redraw may have replaced the bar that was pressed.
function giveKeyboardBack() {
  const { card, opener } = playing;
  (card.contains(opener) ? opener : card.querySelector(".play")).focus({ preventScroll: true });
}

function hidePlayhead() {
  playing.card?.picture?.playhead.setAttribute("visibility", "hidden");
}

function follow() {
  cancelAnimationFrame(frame);
  if (player.hidden) return;
  const picture = playing.card?.picture;
  if (picture) mark(picture.playhead, picture.scale, film.currentTime);
  if (!film.paused) frame = requestAnimationFrame(follow);
}

film.addEventListener("loadedmetadata", seek);
film.addEventListener("play", follow);
film.addEventListener("seeked", follow);
film.addEventListener("error", () => {
  const name = fileName(playing.card.video.file);
  note.textContent = `${name} is not where it was, or this browser cannot play it.`;
  chooser.hidden = false;
});
chooser.querySelector("input").addEventListener("change", (event) => {
  for (const file of event.target.files) chosen.set(file.name, file);
  load();
});
player.querySelector("button").addEventListener("click", stop);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !player.hidden) stop();
});
