// The list: a card a video. A timeline is drawn when its card comes near the window, and again when the choice changes.
const list = document.getElementById("list");
const cards = new Map();
const near = new Set();
// Those that the controls leave, in order.
let videos = [];
let redrawing = 0;

function element(name, attributes, ...content) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...content);
  return made;
}

const anyAnnotated = page.videos.some((video) => video.truth.length);

function factsOf(video) {
  const found = video.found.length < video.all ? `best ${video.found.length} of ${video.all}` : `${video.all}`;
  const ap = video.ap === null ? [] : [`AP ${(100 * video.ap).toFixed(1)}`];
  const annotated = anyAnnotated ? [`${video.truth.length} annotated`] : [];
  return [seconds(video.seconds), ...ap, ...annotated, `${found} found`].join(" · ");
}

function cardOf(video) {
  const name = element("h3", {}, video.id);
  const facts = element("small", {}, factsOf(video));
  const button = element("button", { type: "button", className: "play" }, "Play");
  button.setAttribute("aria-label", `play ${video.id}`);
  const place = element("div", { className: "timeline" });
  const card = element("article", {}, element("header", {}, name, facts, ...(video.file ? [button] : [])), place);
  Object.assign(card, { video, place });
  return card;
}

function draw(card) {
  const focused = card.place.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  const width = Math.floor(card.place.clientWidth);
  if (!width) return;
  card.stale = false;
  const actions = actionsOf(card.video, threshold(), only.value);
  card.picture = timeline(card.video, momentsOf(card.video), actions, curvesOf(card.video, only.value), width);
  card.place.replaceChildren(card.picture);
  if (playing.card === card) follow();
  if (focused !== null) card.picture.querySelector(`[data-action="${focused}"]`)?.focus({ preventScroll: true });
}

function drawStale(some) {
  for (const card of some) if (card.stale) draw(card);
}

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) near.add(target);
    else near.delete(target);
  }
  drawStale(near);
}, { rootMargin: "600px" });

function redrawSoon() {
  for (const card of cards.values()) card.stale = true;
  cancelAnimationFrame(redrawing);
  redrawing = requestAnimationFrame(() => drawStale(near));
}

function choose() {
  videos = chosenVideos();
  // What is searched has an order of its own.
  order.disabled = Boolean(asked());
  list.replaceChildren(...videos.map((video) => cards.get(video)));
  if (!videos.length) list.append(element("p", {}, "No video to show."));
  describeChoice(videos);
  describeMoments(videos);
  redrawSoon();
}

function cardAround(target) {
  return target.closest?.("article");
}

// Whoever came by keyboard goes on in the player, which is many stops away.
function act(card, second, byKeyboard) {
  if (!card.video.file) return;
  play(card, second);
  if (byKeyboard) film.focus({ preventScroll: true });
  // On a phone the film takes the lower half of the window.
  if (player.clientWidth > innerWidth / 2) card.scrollIntoView({ block: "start" });
}

list.addEventListener("click", (event) => {
  const card = cardAround(event.target);
  if (!card) return;
  const action = card.picture?.actions[event.target.dataset.action];
  // A click that no pointer made.
  const byKeyboard = event.detail === 0;
  if (action) act(card, action.start, byKeyboard);
  else if (event.target.closest(".play")) act(card, 0, byKeyboard);
  else if (event.target.closest("svg") && secondAt(card.picture, event.clientX) >= 0) {
    act(card, secondAt(card.picture, event.clientX), false);
  }
});

// Arrows go from action to action, in time; Enter and space play.
list.addEventListener("keydown", (event) => {
  const card = cardAround(event.target);
  const action = card?.picture?.actions[event.target.dataset.action];
  if (!action) return;
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) {
    const order = card.picture.actions.toSorted((a, b) => a.start - b.start || a.stop - b.stop);
    const next = order[order.indexOf(action) + step];
    if (next) card.picture.querySelector(`[data-action="${card.picture.actions.indexOf(next)}"]`).focus();
    event.preventDefault();
  } else if (event.key === "Enter" || event.key === " ") {
    act(card, action.start, true);
    event.preventDefault();
  }
});

list.addEventListener("focusin", ({ target }) => {
  const action = cardAround(target)?.picture?.actions[target.dataset.action];
  if (!action) return;
  cardAround(target).picture.querySelector('[tabindex="0"]')?.setAttribute("tabindex", -1);
  target.setAttribute("tabindex", 0);
  if (target.matches(":focus-visible")) tell(wordsOf(action), target.getBoundingClientRect());
});
list.addEventListener("focusout", hush);

function leave(picture) {
  hush();
  picture?.cursor.setAttribute("visibility", "hidden");
}

list.addEventListener("pointermove", (event) => {
  const card = cardAround(event.target);
  const picture = event.target.closest("svg") && card?.picture;
  if (!picture) return hush();
  const second = Math.min(secondAt(picture, event.clientX), card.video.seconds);
  if (second < 0) return leave(picture);
  mark(picture.cursor, picture.scale, second);
  const action = picture.actions[event.target.dataset.action];
  const { clientX: x, clientY } = event;
  const words = action ? wordsOf(action) : wordsAt(second, card.video, picture.curves);
  tell(words, { x: x + 10, top: clientY - 4, bottom: clientY + 12 });
});
list.addEventListener("pointerout", (event) => {
  const picture = cardAround(event.target)?.picture;
  if (picture?.contains(event.relatedTarget)) return;
  leave(picture);
});

for (const video of page.videos) {
  const card = cardOf(video);
  cards.set(video, card);
  watcher.observe(card);
}
score.addEventListener("input", () => {
  describeChoice(videos);
  redrawSoon();
});
search.addEventListener("input", choose);
only.addEventListener("change", choose);
order.addEventListener("change", choose);
controls.addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", redrawSoon);
// Paper has every timeline, near or not.
addEventListener("beforeprint", () => drawStale(list.children));
choose();
