// The videos that lie in the page; pages/report/videos.py says in which form.
const page = JSON.parse(document.getElementById("data").textContent);

const className = (label) => page.labels[label][0];
const clusterName = (label) => page.labels[label][1];
const colourOf = (name) => page.colours[name];
const seconds = (value) => `${value.toFixed(value < 100 ? 1 : 0)} s`;

// To three digits; what is next to nothing is 0.
const rounded = (score) => (Math.abs(score) < 1e-4 ? 0 : Number(score.toPrecision(3)));

function unpack(curve) {
  return Array.from(atob(curve), (letter) => letter.charCodeAt(0) / 255);
}

// A class, and the cluster that it was found under.
function labelName(label) {
  const cluster = clusterName(label);
  return cluster ? `${className(label)} (${cluster})` : className(label);
}

// The curves of a video by what they are: [{name, lane, stroke, values}, ...]; lane is the row that they share.
// Of activations those of one class, or of all.
function curvesOf(video, only) {
  const loudness = video.loudness ? [{ name: "loudness", lane: "loudness", values: unpack(video.loudness) }] : [];
  const activation = Object.entries(video.activation)
    .filter(([label]) => !only || className(label) === only)
    .map(([label, values]) => (
      { name: labelName(label), lane: "activation", stroke: colourOf(className(label)), values: unpack(values) }
    ));
  return [{ name: "attention", lane: "attention", values: unpack(video.attention) }, ...activation, ...loudness];
}

// What a timeline shows of a video: annotated actions, and detections from a score on, of one class or of all.
function actionsOf(video, threshold, only) {
  const truth = video.truth.map(([label, start, stop]) => ({ kind: "truth", label, start, stop }));
  const found = video.found.map(([label, score, start, stop]) => ({ kind: "found", label, score, start, stop }));
  return [...truth, ...found]
    .map((action) => ({ ...action, name: className(action.label) }))
    .filter((action) => (action.kind === "truth" || action.score >= threshold) && (!only || action.name === only));
}

function wordsAt(second, video, curves) {
  const k = Math.round((second - video.first) / video.step);
  const values = curves.filter(({ lane }) => lane !== "loudness").map(({ name, values }) => {
    const value = values[Math.min(Math.max(0, k), values.length - 1)] ?? 0;
    return `${name} ${value.toFixed(2)}`;
  });
  return [seconds(second), ...values].join(" · ");
}

const SAID = {
  truth: ({ label }) => `${labelName(label)}, annotated`,
  found: ({ label, score }) => `${labelName(label)}, found with ${rounded(score)}`,
  moment: ({ name, score }) => `looks like ${name}, guessed with ${rounded(score)}`,
};

function wordsOf(action) {
  return `${SAID[action.kind](action)}, ${action.start.toFixed(1)} to ${action.stop.toFixed(1)} s`;
}
