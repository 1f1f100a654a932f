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
        "background_logits": linear(w, "classifier", pooled(e, 1 - a)),
    }


def losses(videos, labels, _):
    probabilities = [reference.softmax(s) for s in field_of(videos, "cas")]
    return {
        "foreground": reference.foreground(field_of(videos, "foreground_logits"), labels),
        "background": reference.background(field_of(videos, "background_logits")),
        "norm": reference.norm(field_of(videos, "attention")),
        "guide": reference.guide(field_of(videos, "attention"), probabilities, labels),
    }


def test_ugct_equals_its_equations():
    check_equations("ugct", equations, losses)
