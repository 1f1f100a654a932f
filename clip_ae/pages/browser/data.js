// The data of the page; pages/report/videos.py documents the keys.
const page = JSON.parse(document.getElementById("data").textContent);

const className = (label) => page.labels[label][0];
const clusterName = (label) => page.labels[label][1];
const colourOf = (name) => page.colours[name];
const formatSeconds = (value) => `${value.toFixed(value < 100 ? 1 : 0)} s`;

// A score with three digits; scores below 0.0001 are 0.
const rounded = (score) => (Math.abs(score) < 1e-4 ? 0 : Number(score.toPrecision(3)));

function decodeCurve(curve) {
  return Array.from(atob(curve), (letter) => letter.charCodeAt(0) / 255);
}

// The class, with its cluster if there is one.
function labelName(label) {
  const cluster = clusterName(label);
  return cluster ? `${className(label)} (${cluster})` : className(label);
}

// The curves of a video: [{name, lane, stroke, values}, ...]; curves of one lane share a row.
// With onlyClass, only the activations of this class.
function curvesOf(video, onlyClass) {
  const loudness = video.loudness ? [{ name: "loudness", lane: "loudness", values: decodeCurve(video.loudness) }] : [];
  const activation = Object.entries(video.activation)
    .filter(([label]) => !onlyClass || className(label) === onlyClass)
    .map(([label, values]) => (
      { name: labelName(label), lane: "activation", stroke: colourOf(className(label)), values: decodeCurve(values) }
    ));
  return [{ name: "attention", lane: "attention", values: decodeCurve(video.attention) }, ...activation, ...loudness];
}

// The actions that a timeline shows: annotations, and detections of minScore or more; with onlyClass, of this class.
function actionsOf(video, minScore, onlyClass) {
  const annotations = video.ground_truth.map(([label, start, stop]) => ({ kind: "annotation", label, start, stop }));
  const detections = video.detections.map(([label, score, start, stop]) => (
    { kind: "detection", label, score, start, stop }
  ));
  return [...annotations, ...detections]
    .map((action) => ({ ...action, name: className(action.label) }))
    .filter((action) => action.kind === "annotation" || action.score >= minScore)
    .filter((action) => !onlyClass || action.name === onlyClass);
}

// The time, and the value of each curve at that time.
function describeTime(second, video, curves) {
  const k = Math.round((second - video.first_time) / video.time_step);
  const values = curves.filter(({ lane }) => lane !== "loudness").map(({ name, values }) => {
    const value = values[Math.min(Math.max(0, k), values.length - 1)] ?? 0;
    return `${name} ${value.toFixed(2)}`;
  });
  return [formatSeconds(second), ...values].join(" · ");
}

const ACTION_TEXTS = {
  annotation: ({ label }) => `${labelName(label)}, annotated`,
  detection: ({ label, score }) => `${labelName(label)}, detected, score ${rounded(score)}`,
  moment: ({ name, score }) => `looks like ${name}, score ${rounded(score)}`,
};

function describeAction(action) {
  return `${ACTION_TEXTS[action.kind](action)}, ${action.start.toFixed(1)} to ${action.stop.toFixed(1)} s`;
}
