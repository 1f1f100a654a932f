// The list of videos, one card for each. A timeline is drawn when its card is near the window, and again when a filter
// changes.
const list = document.getElementById("list");
const cards = new Map();
const nearCards = new Set();
// The videos that pass the filters, in order.
let videos = [];
let redrawRequest = 0;

function element(name, attributes, ...content) {
  const node = Object.assign(document.createElement(name), attributes);
  node.append(...content);
  return node;
}

const anyAnnotated = page.videos.some((video) => video.ground_truth.length);

function factsOf(video) {
  const { num_detections: total, detections } = video;
  const count = detections.length < total ? `best ${detections.length} of ${total}` : `${total}`;
  const ap = video.ap === null ? [] : [`AP ${(100 * video.ap).toFixed(1)}`];
  const annotated = anyAnnotated ? [`${video.ground_truth.length} annotated`] : [];
  return [formatSeconds(video.duration), ...ap, ...annotated, `${count} detected`].join(" · ");
}

function cardOf(video) {
  const name = element("h3", {}, video.id);
  const facts = element("small", {}, factsOf(video));
  const button = element("button", { type: "button", className: "play" }, "Play");
  button.setAttribute("aria-label", `play ${video.id}`);
  const container = element("div", { className: "timeline" });
  const card = element("article", {}, element("header", {}, name, facts, ...(video.file ? [button] : [])), container);
  Object.assign(card, { video, container });
  return card;
}

function draw(card) {
  const focused = card.container.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  const width = Math.floor(card.container.clientWidth);
  if (!width) return;
  card.stale = false;
  const onlyClass = classFilter.value;
  const actions = actionsOf(card.video, scoreThreshold(), onlyClass);
  card.picture = drawTimeline(card.video, momentsOf(card.video), actions, curvesOf(card.video, onlyClass), width);
  card.container.replaceChildren(card.picture);
  if (playing.card === card) followVideo();
  if (focused !== null) card.picture.querySelector(`[data-action="${focused}"]`)?.focus({ preventScroll: true });
}

function drawStale(candidates) {
  for (const card of candidates) if (card.stale) draw(card);
}

const nearObserver = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) nearCards.add(target);
    else nearCards.delete(target);
  }
  drawStale(nearCards);
}, { rootMargin: "600px" });

function redrawSoon() {
  for (const card of cards.values()) card.stale = true;
  cancelAnimationFrame(redrawRequest);
  redrawRequest = requestAnimationFrame(() => drawStale(nearCards));
}

function applyFilters() {
  videos = filterVideos();
  // Search results are in the order of their scores.
  order.disabled = Boolean(searchedText());
  list.replaceChildren(...videos.map((video) => cards.get(video)));
  if (!videos.length) list.append(element("p", {}, "No video to show."));
  describeFilters(videos);
  describeSearch(videos);
  redrawSoon();
}

function cardAround(target) {
  return target.closest?.("article");
}

// Play a video from a time. After a key press the player gets the focus: it is many tab stops away.
function openPlayer(card, second, byKeyboard) {
  if (!card.video.file) return;
  play(card, second);
  if (byKeyboard) videoElement.focus({ preventScroll: true });
  // On a phone the player covers the lower half of the window.
  if (player.clientWidth > innerWidth / 2) card.scrollIntoView({ block: "start" });
}

list.addEventListener("click", (event) => {
  const card = cardAround(event.target);
  if (!card) return;
  const action = card.picture?.actions[event.target.dataset.action];
  // A click event of a key press has detail 0.
  const byKeyboard = event.detail === 0;
  if (action) openPlayer(card, action.start, byKeyboard);
  else if (event.target.closest(".play")) openPlayer(card, 0, byKeyboard);
  else if (event.target.closest("svg") && secondAt(card.picture, event.clientX) >= 0) {
    openPlayer(card, secondAt(card.picture, event.clientX), false);
  }
});

// Arrow keys move from action to action in order of time; Enter and space play.
list.addEventListener("keydown", (event) => {
  const card = cardAround(event.target);
  const action = card?.picture?.actions[event.target.dataset.action];
  if (!action) return;
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) {
    const byTime = card.picture.actions.toSorted((a, b) => a.start - b.start || a.stop - b.stop);
    const next = byTime[byTime.indexOf(action) + step];
    if (next) card.picture.querySelector(`[data-action="${card.picture.actions.indexOf(next)}"]`).focus();
    event.preventDefault();
  } else if (event.key === "Enter" || event.key === " ") {
    openPlayer(card, action.start, true);
    event.preventDefault();
  }
});

list.addEventListener("focusin", ({ target }) => {
  const action = cardAround(target)?.picture?.actions[target.dataset.action];
  if (!action) return;
  cardAround(target).picture.querySelector('[tabindex="0"]')?.setAttribute("tabindex", -1);
  target.setAttribute("tabindex", 0);
  if (target.matches(":focus-visible")) showHint(describeAction(action), target.getBoundingClientRect());
});
list.addEventListener("focusout", hideHint);

function hideCursor(picture) {
  hideHint();
  picture?.cursor.setAttribute("visibility", "hidden");
}

list.addEventListener("pointermove", (event) => {
  const card = cardAround(event.target);
  const picture = event.target.closest("svg") && card?.picture;
  if (!picture) return hideHint();
  const second = Math.min(secondAt(picture, event.clientX), card.video.duration);
  if (second < 0) return hideCursor(picture);
  moveLine(picture.cursor, picture.scale, second);
  const action = picture.actions[event.target.dataset.action];
  const { clientX: x, clientY } = event;
  const text = action ? describeAction(action) : describeTime(second, card.video, picture.curves);
  showHint(text, { x: x + 10, top: clientY - 4, bottom: clientY + 12 });
});
list.addEventListener("pointerout", (event) => {
  const picture = cardAround(event.target)?.picture;
  if (picture?.contains(event.relatedTarget)) return;
  hideCursor(picture);
});

for (const video of page.videos) {
  const card = cardOf(video);
  cards.set(video, card);
  nearObserver.observe(card);
}
score.addEventListener("input", () => {
  describeFilters(videos);
  redrawSoon();
});
search.addEventListener("input", applyFilters);
classFilter.addEventListener("change", applyFilters);
order.addEventListener("change", applyFilters);
controls.addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", redrawSoon);
// Print needs every timeline, also those far from the window.
addEventListener("beforeprint", () => drawStale(list.children));
applyFilters();
