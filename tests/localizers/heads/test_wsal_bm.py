import numpy as np
import torch

from tests.localizers.heads.small import DIMS, check, every, linear, localizer, pooled, relu, task
from tests.losses import plain


def equations(w, x):
    a = plain.sigmoid(linear(w, "attention.2", relu(linear(w, "attention.0", x))))[:, 0]
    fg, bg = pooled(x, a), pooled(x, 1 - a)
    u_fg, u_bg = w["cluster_vectors.weight"]
    return {
        "embedding": x,
        "cas": linear(w, "classifier", x),
        "attention": a,
        "foreground_logits": linear(w, "classifier", fg),
        "background_logits": linear(w, "classifier", bg),
        "cluster_logits": np.array([[fg @ u_fg, fg @ u_bg], [bg @ u_fg, bg @ u_bg]]),
    }


def losses(videos, labels, _):
    share = [plain.smooth(plain.softmax(v["cas"]), np.ones(len(v["cas"]))) for v in videos]
    return {
        "foreground": plain.foreground(every(videos, "foreground_logits"), labels),
        "background": plain.background(every(videos, "background_logits")),
        "guide": plain.guide(every(videos, "attention"), share, labels),
        "clustering": plain.clustering(every(videos, "cluster_logits")),
    }


def test_wsal_bm_is_its_equations():
    check("wsal_bm", equations, losses)


def test_its_embedding_is_what_it_sees():
    built, found = localizer("wsal_bm"), task()
    for name, output in built(found.batch).streams.items():
        assert torch.equal(output.embedding, found.batch.features[name])
        assert built.head.branches[name].width == DIMS[name]
