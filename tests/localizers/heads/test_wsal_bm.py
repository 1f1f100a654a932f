import numpy as np
import torch

from tests.localizers.heads.small import DIMS, check, every, linear, localizer, pooled, relu, task
from tests.losses import reference


def equations(w, x):
    a = reference.sigmoid(linear(w, "attention.2", relu(linear(w, "attention.0", x))))[:, 0]
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
    share = [reference.smooth(reference.softmax(v["cas"]), np.ones(len(v["cas"]))) for v in videos]
    return {
        "foreground": reference.foreground(every(videos, "foreground_logits"), labels),
        "background": reference.background(every(videos, "background_logits")),
        "guide": reference.guide(every(videos, "attention"), share, labels),
        "clustering": reference.clustering(every(videos, "cluster_logits")),
    }


def test_wsal_bm_is_its_equations():
    check("wsal_bm", equations, losses)


def test_its_embedding_is_what_it_sees():
    built, found = localizer("wsal_bm"), task()
    for name, output in built(found.batch).streams.items():
        assert torch.equal(output.embedding, found.batch.features[name])
        assert built.head.branches[name].width == DIMS[name]
