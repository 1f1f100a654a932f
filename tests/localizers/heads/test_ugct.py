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
        "background_logits": linear(w, "classifier", pooled(e, 1 - a)),
    }


def losses(videos, labels, _):
    share = [reference.softmax(s) for s in every(videos, "cas")]
    return {
        "foreground": reference.foreground(every(videos, "foreground_logits"), labels),
        "background": reference.background(every(videos, "background_logits")),
        "norm": reference.norm(every(videos, "attention")),
        "guide": reference.guide(every(videos, "attention"), share, labels),
    }


def test_ugct_is_its_equations():
    check("ugct", equations, losses)
