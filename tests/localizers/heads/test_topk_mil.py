from tests.localizers.heads.head_checks import check_equations, field_of, linear
from tests.losses import reference


def equations(w, x):
    s = linear(w, "classifier", x)
    return {"embedding": x, "cas": s, "attention": [1.0] * len(x), "foreground_logits": reference.top_k_mean(s, 8)}


def losses(videos, labels, _):
    return {"foreground": reference.foreground(field_of(videos, "foreground_logits"), labels)}


def test_topk_mil_equals_its_equations():
    check_equations("topk_mil", equations, losses)
