from tests.localizers.heads.head_checks import check_equations, convolution, field_of, linear, pooled, relu
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
        "foreground": reference.foreground(field_of(videos, "foreground_logits"), labels),
        "norm": reference.norm(field_of(videos, "attention")),
    }


def test_tscn_equals_its_equations():
    check_equations("tscn", equations, losses)
