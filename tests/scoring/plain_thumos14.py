"""The THUMOS14 kit's evaluation as its rules read, one class and threshold at a time, with loops."""


def kit(truth, detections, ambiguous, threshold, label, eleven):
    """Rows (video, label, start, stop[, score]); ambiguous (video, start, stop)."""
    verdicts = []
    for video in {row[0] for row in (*truth, *detections)}:
        mine = [t for t in truth if t[:2] == (video, label)]
        found = sorted((d for d in detections if d[:2] == (video, label)), key=lambda d: (-d[4], d[2], d[3]))
        taken = set()
        for t in mine:
            free = [(iou(t[2:4], d[2:4]), -k) for k, d in enumerate(found) if k not in taken]
            best, place = max(free, default=(0.0, 0))
            if best > threshold:
                taken.add(-place)
        forgiven = [any(shared(d[2:4], a[1:]) > 0 for a in ambiguous if a[0] == video) for d in found]
        verdicts += [
            (-d[4], video, d[2], d[3], k in taken) for k, d in enumerate(found) if k in taken or not forgiven[k]
        ]
    hits = [hit for *_, hit in sorted(verdicts)]
    positives = sum(t[1] == label for t in truth)
    if not positives:
        return 0.0
    curve = [(sum(hits[: k + 1]) / positives, sum(hits[: k + 1]) / (k + 1), hit) for k, hit in enumerate(hits)]
    if eleven:
        return sum(max((p for r, p, _ in curve if r >= k / 10), default=0.0) for k in range(11)) / 11
    return sum(p for _, p, hit in curve if hit) / positives


def shared(a, b):
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def iou(a, b):
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared(a, b)
    return shared(a, b) / union if union > 0 else 0.0
