import numpy as np
import torch

from tests.localizers.heads.head_checks import (
    DIMS,
    check_equations,
    create_localizer,
    create_task,
    field_of,
    linear,
    pooled,
    relu,
)
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
    probabilities = [reference.smooth(reference.softmax(v["cas"]), np.ones(len(v["cas"]))) for v in videos]
    return {
        "foreground": reference.foreground(field_of(videos, "foreground_logits"), labels),
        "background": reference.background(field_of(videos, "background_logits")),
        "guide": reference.guide(field_of(videos, "attention"), probabilities, labels),
        "clustering": reference.clustering(field_of(videos, "cluster_logits")),
    }


def test_wsal_bm_equals_its_equations():
    check_equations("wsal_bm", equations, losses)


def test_the_embedding_of_wsal_bm_is_its_input():
    localizer, task = create_localizer("wsal_bm"), create_task()
    for name, output in localizer(task.batch).streams.items():
        assert torch.equal(output.embedding, task.batch.features[name])
        assert localizer.head.branches[name].width == DIMS[name]
