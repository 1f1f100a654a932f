from tests.localizers.heads.small import check, every, linear, relu
from tests.losses import reference


def equations(w, x):
    a = reference.sigmoid(linear(w, "attention.2", relu(linear(w, "attention.0", x))))[:, 0]
    v = sum(a[t] * x[t] for t in range(len(x))) / len(x)
    return {
        "embedding": x,
        "cas": linear(w, "classifier", x),
        "attention": a,
        "foreground_logits": linear(w, "classifier", v),
    }


def losses(videos, labels, _):
    return {
        "classification": reference.classification(every(videos, "foreground_logits"), labels),
        "sparsity": reference.sparsity(every(videos, "attention")),
    }


def test_stpn_is_its_equations():
    check("stpn", equations, losses)
