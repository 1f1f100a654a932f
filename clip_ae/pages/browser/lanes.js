// Rows of a timeline: those of one class stand together, what is annotated above what is found.
const MOST_LANES = 4;

// [{name, truth: [action], found: [[action], ...]}, ...]: annotated classes first, the others by their best score.
function rowsOf(actions) {
  const rows = new Map();
  for (const action of actions) {
    if (!rows.has(action.name)) rows.set(action.name, { name: action.name, truth: [], all: [] });
    rows.get(action.name)[action.kind === "truth" ? "truth" : "all"].push(action);
  }
  return [...rows.values()].map((row) => ({ ...row, found: inLanes(row.all) }));
}

// The first lane in which each overlaps no earlier one; where lanes run out, the last.
function inLanes(actions) {
  const lanes = [];
  for (const action of actions) {
    let free = lanes.find((lane) => lane.every((other) => action.stop <= other.start || action.start >= other.stop));
    if (!free && lanes.length < MOST_LANES) lanes.push((free = []));
    (free ?? lanes.at(-1)).push(action);
  }
  return lanes;
}
