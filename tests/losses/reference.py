"""The equations of the losses as loops, in NumPy. Arguments are lists with one unpadded array for each video."""

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def cosine(a, b):
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b) / lengths if lengths else 0.0


def mean(values):
    """The mean; 0 for no values."""
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def mean_over_videos(values):
    """Mean over the snippets of each video, then over the videos with snippets."""
    return mean(np.mean(v) for v in values if len(v))


def foreground(logits, labels):
    total = 0.0
    for v, y in zip(logits, labels, strict=True):
        p, q = softmax(v), y / y.sum()
        total -= sum(q[c] * np.log(p[c]) for c in range(len(y)))
    return total / len(logits)


def background(logits):
    return -mean(np.log(softmax(v)[-1]) for v in logits)


def classification(logits, labels):
    p = sigmoid(np.array(logits))
    return -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).sum(axis=1).mean()


def sparsity(attention):
    return np.mean([np.abs(a).sum() for a in attention])


def mean_attention(attention):
    return mean_over_videos(attention)


def norm(attention):
    values = []
    for a in (a for a in attention if len(a)):
        count, ascending = max(1, len(a) // 8), sorted(a)
        values.append(np.mean(ascending[:count]) - np.mean(ascending[-count:]))
    return mean(values)


def guide(attention, probabilities, labels):
    values = []
    for a, p, y in zip(attention, probabilities, labels, strict=True):
        actions = [max(p[t, c] for c in range(len(y)) if y[c]) for t in range(len(a))]
        values.append([abs(a[t] - actions[t]) + abs(a[t] - (1 - p[t, -1])) for t in range(len(a))])
    return mean_over_videos(values)


def smooth(values, mask):
    """values [T, K]; 0 where no real snippet is within the radius."""
    smoothed = np.zeros_like(values)
    for t in range(len(values)):
        near = [k for k in range(max(0, t - 3), min(len(values), t + 4)) if mask[k]]
        weights = np.array([np.exp(-((k - t) ** 2) / 2) for k in near])
        if near:
            smoothed[t] = weights @ values[near] / weights.sum()
    return smoothed


def pseudo_truth(attention, target):
    return mean_over_videos((a - g) ** 2 for a, g in zip(attention, target, strict=True))


def attention_pseudo(attention, target, log_uncertainty):
    triples = zip(attention, target, log_uncertainty, strict=True)
    return mean_over_videos(np.exp(-u) * (a - g) ** 2 + 0.2 * u for a, g, u in triples)


def class_kl(cas, target, log_uncertainty):
    values = []
    for s, r, u in zip(cas, target, log_uncertainty, strict=True):
        p, q = softmax(s), softmax(r)
        values.append(np.exp(-u) * (q * np.log(q / p)).sum(axis=1))
    return mean_over_videos(values)


def class_mse(cas, target, log_uncertainty):
    triples = zip(cas, target, log_uncertainty, strict=True)
    return mean_over_videos(np.exp(-u) * ((softmax(s) - softmax(r)) ** 2).mean(axis=1) for s, r, u in triples)


def clustering(cluster_logits):
    return -mean(np.log(softmax(s[0])[0]) + np.log(softmax(s[1])[1]) for s in cluster_logits)


def separation(cas, x, labels):
    values = []
    for m in range(len(x)):
        for n in (n for n in range(len(x)) if n != m and len(x[m]) and len(x[n])):
            for c in np.flatnonzero(labels[m] * labels[n]):
                a_m, a_n = (softmax(cas[k][:, c]) @ x[k] for k in (m, n))
                b_n = (1 - softmax(cas[n][:, c])) @ x[n]
                values.append(max(0.0, cosine(a_m, b_n) - cosine(a_m, a_n) + 0.5))
    return mean(values)


def triplet(pooled, labels, video_mask):
    values, videos = [], np.flatnonzero(video_mask)
    for b in videos:
        distance = {k: 1 - cosine(pooled[b], pooled[k]) for k in videos if k != b}
        positive = [d for k, d in distance.items() if labels[b] @ labels[k]]
        negative = [d for k, d in distance.items() if not labels[b] @ labels[k]]
        if positive and negative:
            values.append(max(0.0, max(positive) - min(negative) + 0.5))
    return mean(values)


def contrast(x, attention, labels):
    actions, backgrounds = {}, {}
    for k, (features, a) in enumerate(zip(x, attention, strict=True)):
        order = np.argsort(-a)
        if len(a):
            actions[k] = features[order[: max(1, len(a) // 8)]].mean(axis=0)
        if len(a) >= 3:
            backgrounds[k] = features[order[len(a) - len(a) // 3 :]].mean(axis=0)
    values = []
    for b, action in actions.items():
        negative = sum(np.exp(cosine(action, g) / 0.07) for g in backgrounds.values())
        for p in (p for p in actions if p != b and labels[b] @ labels[p]):
            positive = np.exp(cosine(action, actions[p]) / 0.07)
            values.append(-np.log(positive / (positive + negative)))
    return mean(values)


def extent(cas, snippet_labels):
    loss = [((s - y) ** 2).sum(axis=1) for s, y in zip(cas, snippet_labels, strict=True)]
    action_masks = [y.any(axis=1) for y in snippet_labels]
    parts = (
        [v[mask] for v, mask in zip(loss, action_masks, strict=True)],
        [v[~mask] for v, mask in zip(loss, action_masks, strict=True)],
    )
    return sum(mean_over_videos(part) for part in parts) / 2


def softmax_classification(logits, labels):
    total = 0.0
    for v, y in zip(logits, labels, strict=True):
        p, q = softmax(v), y / y.sum()
        total -= sum(q[c] * np.log(p[c]) + (1 - q[c]) * np.log(1 - p[c]) for c in range(len(y)))
    return total / len(logits)


def top_k_mean(cas, divisor):
    """The mean of the highest activations of one video, by class."""
    count = max(1, len(cas) // divisor)
    return np.array([np.mean(sorted(column)[-count:]) for column in cas.T])


def hard_snippets(actionness):
    """The indices of hard actions and hard backgrounds of one video, with SciPy's morphology."""
    action = actionness > np.median(actionness)
    narrow, wide = np.ones(3), np.ones(6)
    inside = binary_erosion(action, narrow) & ~binary_erosion(action, wide)
    outside = binary_dilation(action, wide) & ~binary_dilation(action, narrow)
    count = max(1, len(actionness) // 20)
    return [sorted(np.flatnonzero(region), key=lambda t: -actionness[t])[:count] for region in (inside, outside)]


def snippet_contrast(x, actionness, candidates):
    terms = {"action": [], "background": []}
    for features, a, candidate in zip(x, actionness, candidates, strict=True):
        if not len(a):
            continue
        count = max(1, len(a) // 5)
        easy_action = np.argsort(-(a * candidate), kind="stable")[:count]
        easy_background = np.argsort(-((a.max() - a) * candidate), kind="stable")[:count]
        hard_action, hard_background = hard_snippets(a)
        for kind, anchors, positives, negatives in (
            ("action", hard_action, easy_action, easy_background),
            ("background", hard_background, easy_background, easy_action),
        ):
            if not len(anchors):
                continue
            anchor, positive = features[anchors].mean(axis=0), features[positives].mean(axis=0)
            e = np.exp(cosine(anchor, positive) / 0.07)
            others = sum(np.exp(cosine(anchor, features[n]) / 0.07) for n in negatives)
            terms[kind].append(-np.log(e / (e + others)))
    return mean(terms["action"]) + mean(terms["background"])
