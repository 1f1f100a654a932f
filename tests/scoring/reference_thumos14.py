"""A slow reference of the THUMOS14 kit's evaluation: one class and threshold at a time, with loops."""


def compute_kit_ap(truth, detections, ambiguous, threshold, label, eleven_point):
    """AP from rows (video, label, start, stop[, score]); ambiguous has rows (video, start, stop)."""
    verdicts = []
    for video in {row[0] for row in (*truth, *detections)}:
        class_truth = [t for t in truth if t[:2] == (video, label)]
        ranked = sorted((d for d in detections if d[:2] == (video, label)), key=lambda d: (-d[4], d[2], d[3]))
        matched = set()
        for t in class_truth:
            free = [(compute_tiou(t[2:4], d[2:4]), -k) for k, d in enumerate(ranked) if k not in matched]
            best, negative_rank = max(free, default=(0.0, 0))
            if best > threshold:
                matched.add(-negative_rank)
        ignored = [any(compute_overlap(d[2:4], a[1:]) > 0 for a in ambiguous if a[0] == video) for d in ranked]
        verdicts += [
            (-d[4], video, d[2], d[3], k in matched) for k, d in enumerate(ranked) if k in matched or not ignored[k]
        ]
    hits = [hit for *_, hit in sorted(verdicts)]
    num_truths = sum(t[1] == label for t in truth)
    if not num_truths:
        return 0.0
    curve = [(sum(hits[: k + 1]) / num_truths, sum(hits[: k + 1]) / (k + 1), hit) for k, hit in enumerate(hits)]
    if eleven_point:
        return sum(max((p for r, p, _ in curve if r >= k / 10), default=0.0) for k in range(11)) / 11
    return sum(p for _, p, hit in curve if hit) / num_truths


def compute_overlap(a, b):
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def compute_tiou(a, b):
    union = (a[1] - a[0]) + (b[1] - b[0]) - compute_overlap(a, b)
    return compute_overlap(a, b) / union if union > 0 else 0.0
