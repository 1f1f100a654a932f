// One video on a line of time: actions by class, curves, seconds.
const LANE = 14;
const BAR = 11;
const GAP = 5;
const RIGHT = 10;
const HEIGHTS = { attention: 26, activation: 26, loudness: 18 };
// More classes than colours: lines of one video differ in this as well.
const DASHES = ["none", "6 3", "2 2"];
const STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

function svg(name, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
}

// An <svg> as wide as it will stand; `picture.actions` are what its bars show, in order, `picture.scale` its axis.
function timeline(video, moments, actions, curves, width) {
  const left = width < 560 ? 92 : 150;
  const across = width - left - RIGHT;
  const scale = { left, perSecond: across / Math.max(video.seconds, 0.001) };
  const picture = svg("svg", { width, role: "group", "aria-label": `actions in ${video.id}` });
  Object.assign(picture, { actions: [], curves, scale });
  let top = drawRows(picture, video, moments, 2);
  if (!actions.length) {
    svg("text", { x: left, y: top + BAR - 1 }, picture).textContent = "nothing found at this score";
    top += LANE + GAP;
  }
  top = drawRows(picture, video, actions, top);
  for (const [lane, height] of Object.entries(HEIGHTS)) {
    const lines = picture.curves.filter((line) => line.lane === lane);
    if (!lines.length) continue;
    caption(picture, lane, left, top + height / 2 + 4);
    lines.forEach((line, k) => curve(picture, video, line, top, DASHES[k % DASHES.length]));
    top += height + GAP;
  }
  axis(picture, video, width, top);
  picture.setAttribute("height", top + 20);
  // Paper shrinks it.
  picture.setAttribute("viewBox", `0 0 ${width} ${top + 20}`);
  picture.cursor = svg("line", { class: "cursor", y1: 0, y2: top, visibility: "hidden" }, picture);
  picture.playhead = svg("line", { class: "playhead", y1: 0, y2: top, visibility: "hidden" }, picture);
  return picture;
}

// Returns where the next may stand.
function drawRows(picture, video, actions, top) {
  for (const row of rowsOf(actions)) {
    caption(picture, row.name, picture.scale.left, top + BAR - 1);
    for (const lane of [row.truth, ...row.found].filter((lane) => lane.length)) {
      for (const action of lane) bar(picture, video, action, top);
      top += LANE;
    }
    top += GAP;
  }
  return top;
}

function caption(picture, words, left, y) {
  const room = Math.floor((left - 8) / 6.2);
  const text = svg("text", { x: left - 8, y, "text-anchor": "end" }, picture);
  text.textContent = words.length > room ? `${words.slice(0, room - 1)}…` : words;
  if (words.length > room) svg("title", {}, text).textContent = words;
}

const PAINTS = {
  truth: ({ name }) => ({ fill: colourOf(name) }),
  found: ({ name, score }, video) => ({
    fill: colourOf(name),
    stroke: colourOf(name),
    "fill-opacity": 0.2 + 0.8 * Math.max(0, score / (video.found[0]?.[1] || 1)),
  }),
  // Of no class, and pale enough for the score that stands on it.
  moment: ({ score }) => ({ "fill-opacity": 0.1 + 0.3 * score }),
};

function bar(picture, video, action, top) {
  const { left, perSecond } = picture.scale;
  const x = left + action.start * perSecond;
  const width = Math.max(2, (action.stop - action.start) * perSecond);
  svg("rect", {
    class: `bar ${action.kind}`,
    x,
    y: top,
    width,
    height: BAR,
    rx: 2,
    ...PAINTS[action.kind](action, video),
    role: video.file ? "button" : "img",
    tabindex: picture.actions.length ? -1 : 0,
    "aria-label": wordsOf(action),
    "data-action": picture.actions.length,
  }, picture);
  picture.actions.push(action);
  if (action.kind === "moment" && width > 24) {
    svg("text", { class: "score", x: x + 3, y: top + BAR - 2 }, picture).textContent = rounded(action.score);
  }
}

function curve(picture, video, { lane, name, stroke, values }, top, dashes) {
  const { left, perSecond } = picture.scale;
  const height = HEIGHTS[lane];
  const x = (k) => left + Math.min(video.first + k * video.step, video.seconds) * perSecond;
  const points = values.map((value, k) => `${x(k).toFixed(1)},${(top + height * (1 - value)).toFixed(1)}`).join(" ");
  if (lane === "activation") {
    const drawn = svg("polyline", { class: "line", stroke, "stroke-dasharray": dashes, points }, picture);
    svg("title", {}, drawn).textContent = name;
  } else {
    const floor = `${x(values.length - 1).toFixed(1)},${top + height} ${x(0).toFixed(1)},${top + height}`;
    svg("polygon", { class: lane, points: `${points} ${floor}` }, picture);
  }
}

// As many round marks as there is room for.
function axis(picture, video, width, top) {
  const { left, perSecond } = picture.scale;
  svg("line", { class: "axis", x1: left, x2: width - RIGHT, y1: top, y2: top }, picture);
  const step = STEPS.find((s) => s * perSecond >= 56) ?? STEPS.at(-1);
  for (let second = 0; second <= video.seconds; second += step) {
    const x = left + second * perSecond;
    const anchor = x > width - 30 ? "end" : "middle";
    svg("text", { x: Math.min(x, width - 2), y: top + 14, "text-anchor": anchor }, picture).textContent = `${second} s`;
  }
}

function secondAt(picture, clientX) {
  const { left, perSecond } = picture.scale;
  return (clientX - picture.getBoundingClientRect().left - left) / perSecond;
}

function mark(line, scale, second) {
  const x = scale.left + second * scale.perSecond;
  line.setAttribute("x1", x);
  line.setAttribute("x2", x);
  line.setAttribute("visibility", "visible");
}
