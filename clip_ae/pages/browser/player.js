// The video itself, beside its timeline, where its file can be found.
const player = document.getElementById("player");
const film = player.querySelector("video");
const note = player.querySelector(".note");
const chooser = player.querySelector("label");
// Files of a folder that a person has chosen, by name.
const chosen = new Map();
const playing = { video: null, second: 0, picture: null };
let frame = 0;

const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);

function play(video, second, picture) {
  const same = playing.video === video && film.readyState > 0;
  hidePlayhead();
  Object.assign(playing, { video, second, picture });
  player.hidden = false;
  player.querySelector("b").textContent = video.id;
  if (same) seek();
  else load();
}

function load() {
  const file = chosen.get(fileName(playing.video.file));
  note.textContent = "";
  chooser.hidden = true;
  if (film.src.startsWith("blob:")) URL.revokeObjectURL(film.src);
  film.src = file ? URL.createObjectURL(file) : playing.video.file.split("/").map(encodeURIComponent).join("/");
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
  player.hidden = true;
  hidePlayhead();
}

function hidePlayhead() {
  playing.picture?.playhead.setAttribute("visibility", "hidden");
}

function follow() {
  cancelAnimationFrame(frame);
  if (player.hidden) return;
  if (playing.picture?.isConnected) mark(playing.picture.playhead, playing.picture.scale, film.currentTime);
  if (!film.paused) frame = requestAnimationFrame(follow);
}

film.addEventListener("loadedmetadata", seek);
film.addEventListener("play", follow);
film.addEventListener("seeked", follow);
film.addEventListener("error", () => {
  const name = fileName(playing.video.file);
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
