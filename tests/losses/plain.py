"""The losses' equations word for word, in loops over videos that have no padding: a list holds an array a video."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def cosine(a, b):
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b) / lengths if lengths else 0.0


def mean(values):
    """0 of nothing."""
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def over_videos(by_snippet):
    """Mean over a video's snippets, then over the videos that have any."""
    return mean(np.mean(v) for v in by_snippet if len(v))


def foreground(video, labels):
    total = 0.0
    for v, y in zip(video, labels, strict=True):
        p, q = softmax(v), y / y.sum()
        total -= sum(q[c] * np.log(p[c]) for c in range(len(y)))
    return total / len(video)


def background(video):
    return -mean(np.log(softmax(v)[-1]) for v in video)


def classification(video, labels):
    p = sigmoid(np.array(video))
    return -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).sum(axis=1).mean()


def sparsity(attention):
    return np.mean([np.abs(a).sum() for a in attention])


def norm(attention):
    values = []
    for a in (a for a in attention if len(a)):
        count, rising = max(1, len(a) // 8), sorted(a)
        values.append(np.mean(rising[:count]) - np.mean(rising[-count:]))
    return mean(values)


def guide(attention, share, labels):
    by_snippet = []
    for a, p, y in zip(attention, share, labels, strict=True):
        actions = [max(p[t, c] for c in range(len(y)) if y[c]) for t in range(len(a))]
        by_snippet.append([abs(a[t] - actions[t]) + abs(a[t] - (1 - p[t, -1])) for t in range(len(a))])
    return over_videos(by_snippet)


def smooth(values, real):
    """values [T, K]; nothing where no real snippet is within reach."""
    found = np.zeros_like(values)
    for t in range(len(values)):
        near = [k for k in range(max(0, t - 3), min(len(values), t + 4)) if real[k]]
        weights = np.array([np.exp(-((k - t) ** 2) / 2) for k in near])
        if near:
            found[t] = weights @ values[near] / weights.sum()
    return found


def pseudo_truth(attention, target):
    return over_videos((a - g) ** 2 for a, g in zip(attention, target, strict=True))


def attention_pseudo(attention, target, doubt):
    triples = zip(attention, target, doubt, strict=True)
    return over_videos(np.exp(-u) * (a - g) ** 2 + 0.2 * u for a, g, u in triples)


def class_kl(cas, target, doubt):
    by_snippet = []
    for s, r, u in zip(cas, target, doubt, strict=True):
        p, q = softmax(s), softmax(r)
        by_snippet.append(np.exp(-u) * (q * np.log(q / p)).sum(axis=1))
    return over_videos(by_snippet)


def class_mse(cas, target, doubt):
    triples = zip(cas, target, doubt, strict=True)
    return over_videos(np.exp(-u) * ((softmax(s) - softmax(r)) ** 2).mean(axis=1) for s, r, u in triples)


def clustering(sides):
    return -mean(np.log(softmax(s[0])[0]) + np.log(softmax(s[1])[1]) for s in sides)


def separation(cas, x, labels):
    values = []
    for m in range(len(x)):
        for n in (n for n in range(len(x)) if n != m and len(x[m]) and len(x[n])):
            for c in np.flatnonzero(labels[m] * labels[n]):
                a_m, a_n = (softmax(cas[k][:, c]) @ x[k] for k in (m, n))
                b_n = (1 - softmax(cas[n][:, c])) @ x[n]
                values.append(max(0.0, cosine(a_m, b_n) - cosine(a_m, a_n) + 0.5))
    return mean(values)


def triplet(pooled, labels, real):
    values, known = [], np.flatnonzero(real)
    for b in known:
        distance = {k: 1 - cosine(pooled[b], pooled[k]) for k in known if k != b}
        same = [d for k, d in distance.items() if labels[b] @ labels[k]]
        other = [d for k, d in distance.items() if not labels[b] @ labels[k]]
        if same and other:
            values.append(max(0.0, max(same) - min(other) + 0.5))
    return mean(values)


def contrast(x, attention, labels):
    actions, grounds = {}, {}
    for k, (features, a) in enumerate(zip(x, attention, strict=True)):
        order = np.argsort(-a)
        if len(a):
            actions[k] = features[order[: max(1, len(a) // 8)]].mean(axis=0)
        if len(a) >= 3:
            grounds[k] = features[order[len(a) - len(a) // 3 :]].mean(axis=0)
    values = []
    for b, action in actions.items():
        negative = sum(np.exp(cosine(action, g) / 0.07) for g in grounds.values())
        for p in (p for p in actions if p != b and labels[b] @ labels[p]):
            positive = np.exp(cosine(action, actions[p]) / 0.07)
            values.append(-np.log(positive / (positive + negative)))
    return mean(values)


def extent(cas, extents):
    loss = [
        -(y * np.log(sigmoid(s)) + (1 - y) * np.log(1 - sigmoid(s))).sum(axis=1)
        for s, y in zip(cas, extents, strict=True)
    ]
    acting = [y.any(axis=1) for y in extents]
    parts = (
        [v[here] for v, here in zip(loss, acting, strict=True)],
        [v[~here] for v, here in zip(loss, acting, strict=True)],
    )
    return sum(over_videos(part) for part in parts) / 2
