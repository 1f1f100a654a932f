import numpy as np
import pytest
import torch

from clip_ae.core.tables import HEADS
from clip_ae.localizers.stpn import build

DIMS = {"rgb": 6, "flow": 5}
B, T, C = 3, 7, 4


@pytest.fixture
def head():
    torch.manual_seed(0)
    return build(DIMS, C).eval()


def inputs(padding=0.0):
    generator = torch.Generator().manual_seed(1)
    features = {name: torch.randn(B, T, dim, generator=generator) for name, dim in DIMS.items()}
    mask = {name: torch.arange(T)[None] < torch.tensor([7, 4, 0])[:, None] for name in DIMS}
    return {name: x.masked_fill(~mask[name][..., None], padding) for name, x in features.items()}, mask


def test_equals_its_equations_in_float64(head):
    features, mask = inputs()
    output = head.double()({n: x.double() for n, x in features.items()}, mask)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    for name in DIMS:
        w = {k: v.numpy() for k, v in head.streams[name].state_dict().items()}
        x = features[name].double().numpy()[1, :4]
        hidden = np.maximum(0, x @ w["attention.0.weight"].T + w["attention.0.bias"])
        a = sigmoid(hidden @ w["attention.2.weight"].T + w["attention.2.bias"])[:, 0]
        v = np.mean(a[:, None] * x, axis=0)
        np.testing.assert_allclose(output.attention[name].detach()[1, :4], a, rtol=1e-12)
        np.testing.assert_allclose(output.cas[name].detach()[1, :4], x @ w["classifier.weight"].T, rtol=1e-10)
        np.testing.assert_allclose(output.video[name].detach()[1], w["classifier.weight"] @ v, rtol=1e-10)


@pytest.mark.parametrize("garbage", [1e4, float("nan"), float("inf")])
def test_padding_never_leaks(head, garbage):
    labels = torch.eye(C)[:B]
    results = []
    for padding in (0.0, garbage):
        features, mask = inputs(padding)
        output = head(features, mask)
        losses = head.losses(output, mask, labels)
        head.zero_grad()
        sum(losses.values()).backward()
        gradients = [p.grad.clone() for p in head.parameters()]
        results.append([*output.cas.values(), *output.attention.values(), *output.video.values(), *losses.values()])
        results[-1] += gradients
    assert all(torch.equal(clean, dirty) for clean, dirty in zip(*results, strict=True))


def test_a_video_without_any_material_is_finite_and_unattended(head):
    output = head(*inputs())
    assert not output.attention["rgb"][2].any()
    assert output.video["rgb"][2].tolist() == [0.0] * C


def test_fusion_follows_the_weight(head):
    output = head(*inputs())
    rgb, flow, both = (head.fuse(output, w) for w in (1.0, 0.0, 0.25))
    assert torch.equal(rgb.attention, output.attention["rgb"])
    assert torch.equal(flow.activation, output.cas["flow"].sigmoid())
    torch.testing.assert_close(both.scores, 0.25 * rgb.scores + 0.75 * flow.scores)


def test_losses_are_those_of_the_table(head):
    features, mask = inputs()
    losses = head.losses(head(features, mask), mask, torch.eye(C)[:B])
    assert set(losses) == set(HEADS["stpn"].losses) == set(head.loss_weights)
