from tests.localizers.heads.small import check, convolution, every, linear, pooled, relu
from tests.losses import reference


def equations(w, x):
    e = relu(convolution(w, "embedding.convolution", x))
    a = reference.sigmoid(linear(w, "attention", e))[:, 0]
    return {
        "embedding": e,
        "cas": linear(w, "classifier", e),
        "attention": a,
        "foreground_logits": linear(w, "classifier", pooled(e, a)),
    }


def losses(videos, labels, _):
    return {
        "foreground": reference.foreground(every(videos, "foreground_logits"), labels),
        "norm": reference.norm(every(videos, "attention")),
    }


def test_tscn_is_its_equations():
    check("tscn", equations, losses)
