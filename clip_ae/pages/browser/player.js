// The video player, for videos with a file.
const player = document.getElementById("player");
const videoElement = player.querySelector("video");
const note = player.querySelector(".note");
const folderInput = player.querySelector("label");
// Files of the folder that the user has chosen, by name.
const chosenFiles = new Map();
// `opener` had the keyboard focus when the player opened.
const playing = { card: null, second: 0, opener: null };
let followRequest = 0;

const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);

function play(card, second) {
  const isLoaded = playing.card === card && videoElement.readyState > 0;
  hidePlayhead();
  Object.assign(playing, { card, second, opener: document.activeElement });
  player.hidden = false;
  player.querySelector("b").textContent = card.video.id;
  if (isLoaded) seek();
  else load();
}

function load() {
  const path = playing.card.video.file;
  const file = chosenFiles.get(fileName(path));
  note.textContent = "";
  folderInput.hidden = true;
  if (videoElement.src.startsWith("blob:")) URL.revokeObjectURL(videoElement.src);
  videoElement.src = file ? URL.createObjectURL(file) : path.split("/").map(encodeURIComponent).join("/");
}

function seek() {
  // The player was closed before the file was loaded.
  if (player.hidden) return;
  videoElement.currentTime = Math.min(Math.max(0, playing.second), videoElement.duration || Infinity);
  // Some browsers play only after a click on the video itself; the frame is shown anyway.
  videoElement.play().catch(() => {});
}

function closePlayer() {
  videoElement.pause();
  if (player.contains(document.activeElement)) returnFocus();
  player.hidden = true;
  hidePlayhead();
}

// To the element that opened the player, or to the play button if a redraw has replaced the element.
function returnFocus() {
  const { card, opener } = playing;
  (card.contains(opener) ? opener : card.querySelector(".play")).focus({ preventScroll: true });
}

function hidePlayhead() {
  playing.card?.picture?.playhead.setAttribute("visibility", "hidden");
}

// Move the playhead to the current time, until the video is paused.
function followVideo() {
  cancelAnimationFrame(followRequest);
  if (player.hidden) return;
  const picture = playing.card?.picture;
  if (picture) moveLine(picture.playhead, picture.scale, videoElement.currentTime);
  if (!videoElement.paused) followRequest = requestAnimationFrame(followVideo);
}

videoElement.addEventListener("loadedmetadata", seek);
videoElement.addEventListener("play", followVideo);
videoElement.addEventListener("seeked", followVideo);
videoElement.addEventListener("error", () => {
  const name = fileName(playing.card.video.file);
  note.textContent = `Cannot play ${name}: the file has moved, or this browser does not support it.`;
  folderInput.hidden = false;
});
folderInput.querySelector("input").addEventListener("change", (event) => {
  for (const file of event.target.files) chosenFiles.set(file.name, file);
  load();
});
player.querySelector("button").addEventListener("click", closePlayer);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !player.hidden) closePlayer();
});
