// Draw the timeline of one video as SVG: actions by class, curves, and an axis in seconds. Sizes are in pixels.
const LANE_HEIGHT = 14;
const BAR_HEIGHT = 11;
const GAP = 5;
const RIGHT_MARGIN = 10;
const CURVE_HEIGHTS = { attention: 26, activation: 26, loudness: 18 };
// There are more classes than colours, so lines of one video also differ in their dashes.
const DASHES = ["none", "6 3", "2 2"];
const AXIS_STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

function svg(name, attributes, parent) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent?.append(node);
  return node;
}

// An <svg> of the given width; `picture.actions` are the actions of its bars, in order, `picture.scale` is its axis.
function drawTimeline(video, moments, actions, curves, width) {
  const left = width < 560 ? 92 : 150;
  const plotWidth = width - left - RIGHT_MARGIN;
  const scale = { left, perSecond: plotWidth / Math.max(video.duration, 0.001) };
  const picture = svg("svg", { width, role: "group", "aria-label": `actions in ${video.id}` });
  Object.assign(picture, { actions: [], curves, scale });
  let top = drawRows(picture, video, moments, 2);
  if (!actions.length) {
    svg("text", { x: left, y: top + BAR_HEIGHT - 1 }, picture).textContent = "no action at this score";
    top += LANE_HEIGHT + GAP;
  }
  top = drawRows(picture, video, actions, top);
  for (const [lane, height] of Object.entries(CURVE_HEIGHTS)) {
    const lines = picture.curves.filter((line) => line.lane === lane);
    if (!lines.length) continue;
    drawCaption(picture, lane, left, top + height / 2 + 4);
    lines.forEach((line, k) => drawCurve(picture, video, line, top, DASHES[k % DASHES.length]));
    top += height + GAP;
  }
  drawAxis(picture, video, width, top);
  picture.setAttribute("height", top + 20);
  // Print may shrink the picture.
  picture.setAttribute("viewBox", `0 0 ${width} ${top + 20}`);
  picture.cursor = svg("line", { class: "cursor", y1: 0, y2: top, visibility: "hidden" }, picture);
  picture.playhead = svg("line", { class: "playhead", y1: 0, y2: top, visibility: "hidden" }, picture);
  return picture;
}

// Returns the top of the next row.
function drawRows(picture, video, actions, top) {
  for (const row of rowsOf(actions)) {
    drawCaption(picture, row.name, picture.scale.left, top + BAR_HEIGHT - 1);
    for (const lane of [row.annotations, ...row.lanes].filter((lane) => lane.length)) {
      for (const action of lane) drawBar(picture, video, action, top);
      top += LANE_HEIGHT;
    }
    top += GAP;
  }
  return top;
}

// Text to the left of the plot, cut to its space.
function drawCaption(picture, caption, left, y) {
  const maxLength = Math.floor((left - 8) / 6.2);
  const text = svg("text", { x: left - 8, y, "text-anchor": "end" }, picture);
  text.textContent = caption.length > maxLength ? `${caption.slice(0, maxLength - 1)}…` : caption;
  if (caption.length > maxLength) svg("title", {}, text).textContent = caption;
}

const BAR_STYLES = {
  annotation: ({ name }) => ({ fill: colourOf(name) }),
  detection: ({ name, score }, video) => ({
    fill: colourOf(name),
    stroke: colourOf(name),
    "fill-opacity": 0.2 + 0.8 * Math.max(0, score / (video.detections[0]?.[1] || 1)),
  }),
  // A moment has no class colour, and is pale because its score is written on it.
  moment: ({ score }) => ({ "fill-opacity": 0.1 + 0.3 * score }),
};

function drawBar(picture, video, action, top) {
  const { left, perSecond } = picture.scale;
  const x = left + action.start * perSecond;
  const width = Math.max(2, (action.stop - action.start) * perSecond);
  svg("rect", {
    class: `bar ${action.kind}`,
    x,
    y: top,
    width,
    height: BAR_HEIGHT,
    rx: 2,
    ...BAR_STYLES[action.kind](action, video),
    role: video.file ? "button" : "img",
    tabindex: picture.actions.length ? -1 : 0,
    "aria-label": describeAction(action),
    "data-action": picture.actions.length,
  }, picture);
  picture.actions.push(action);
  if (action.kind === "moment" && width > 24) {
    svg("text", { class: "score", x: x + 3, y: top + BAR_HEIGHT - 2 }, picture).textContent = rounded(action.score);
  }
}

function drawCurve(picture, video, { lane, name, stroke, values }, top, dashes) {
  const { left, perSecond } = picture.scale;
  const height = CURVE_HEIGHTS[lane];
  const x = (k) => left + Math.min(video.first_time + k * video.time_step, video.duration) * perSecond;
  const points = values.map((value, k) => `${x(k).toFixed(1)},${(top + height * (1 - value)).toFixed(1)}`).join(" ");
  if (lane === "activation") {
    const polyline = svg("polyline", { class: "line", stroke, "stroke-dasharray": dashes, points }, picture);
    svg("title", {}, polyline).textContent = name;
  } else {
    const baseline = `${x(values.length - 1).toFixed(1)},${top + height} ${x(0).toFixed(1)},${top + height}`;
    svg("polygon", { class: lane, points: `${points} ${baseline}` }, picture);
  }
}

// An axis with round ticks, at least 56 pixels apart.
function drawAxis(picture, video, width, top) {
  const { left, perSecond } = picture.scale;
  svg("line", { class: "axis", x1: left, x2: width - RIGHT_MARGIN, y1: top, y2: top }, picture);
  const step = AXIS_STEPS.find((s) => s * perSecond >= 56) ?? AXIS_STEPS.at(-1);
  for (let second = 0; second <= video.duration; second += step) {
    const x = left + second * perSecond;
    const anchor = x > width - 30 ? "end" : "middle";
    svg("text", { x: Math.min(x, width - 2), y: top + 14, "text-anchor": anchor }, picture).textContent = `${second} s`;
  }
}

// The time at a horizontal position of the window.
function secondAt(picture, clientX) {
  const { left, perSecond } = picture.scale;
  return (clientX - picture.getBoundingClientRect().left - left) / perSecond;
}

function moveLine(line, scale, second) {
  const x = scale.left + second * scale.perSecond;
  line.setAttribute("x1", x);
  line.setAttribute("x2", x);
  line.setAttribute("visibility", "visible");
}
