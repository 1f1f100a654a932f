from tests.localizers.heads.head_checks import check_equations, field_of, linear, relu
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
        "classification": reference.classification(field_of(videos, "foreground_logits"), labels),
        "sparsity": reference.sparsity(field_of(videos, "attention")),
    }


def test_stpn_equals_its_equations():
    check_equations("stpn", equations, losses)
