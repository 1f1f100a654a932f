// Rows of a timeline: one for each class, with its annotations above its detections.
const MAX_LANES = 4;

// [{name, annotations: [action], lanes: [[action], ...]}, ...]: annotated classes first, the others by best score.
function rowsOf(actions) {
  const rows = new Map();
  for (const action of actions) {
    if (!rows.has(action.name)) rows.set(action.name, { name: action.name, annotations: [], others: [] });
    rows.get(action.name)[action.kind === "annotation" ? "annotations" : "others"].push(action);
  }
  return [...rows.values()].map((row) => ({ ...row, lanes: splitIntoLanes(row.others) }));
}

// Each action goes to the first lane in which it overlaps no other, or to the last lane.
function splitIntoLanes(actions) {
  const lanes = [];
  for (const action of actions) {
    let free = lanes.find((lane) => lane.every((other) => action.stop <= other.start || action.start >= other.stop));
    if (!free && lanes.length < MAX_LANES) lanes.push((free = []));
    (free ?? lanes.at(-1)).push(action);
  }
  return lanes;
}
