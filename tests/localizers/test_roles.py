"""Every method with one, two and three cbp streams, and with streams of any name."""

import copy

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import (
    CafSwitches,
    CcpSwitches,
    LocalizerConfig,
    SelfSupervision,
    TscnSwitches,
    UgctSwitches,
)
from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.errors import UserError
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.head import StreamOutput
from clip_ae.localizers.pseudo_ground_truth import PAPER_WEIGHTS
from clip_ae.localizers.trainer import create_learner
from clip_ae.localizers.ugct import average_outputs, select_teachers

B, T, C, STEPS = 3, 7, 4, 8
DIMS = {"videomae": 6, "dino": 5, "rgb": 8, "words": 3, "noise": 2}
CBP = {1: ("videomae",), 2: ("videomae", "rgb"), 3: ("videomae", "dino", "rgb")}


def create_config(method: str, cbp: tuple[str, ...], **ugct: str) -> LocalizerConfig:
    has_modules = method == "clip_ae"
    switches = {
        **({"ugct": UgctSwitches(**ugct)} if method in ("ugct", "clip_ae") else {}),
        **({"tscn": TscnSwitches()} if method == "tscn" else {}),
        **({"caf": CafSwitches(audio_to="first"), "ccp": CcpSwitches()} if has_modules else {}),
        **({"fusion_input": "residual", "self_supervision": SelfSupervision()} if has_modules else {}),
    }
    roles = StreamRoles(cbp, "words" if has_modules else None, "noise" if has_modules else None)
    dims = {name: DIMS[name] for name in roles.names}
    return LocalizerConfig(
        method=method, roles=roles, dims=dims, labels=tuple("abcd"), width=8, dropout=0.0, num_videos=B, **switches
    )


def create_batch(names: tuple[str, ...]) -> Batch:
    rng = torch.Generator().manual_seed(0)
    masks = {name: torch.ones(B, T, dtype=torch.bool) for name in names}
    masks[names[0]][0, -2:] = False
    features = {name: torch.randn(B, T, DIMS[name], generator=rng) for name in names}
    return Batch(tuple("xyz"), features, masks)


def create_targets() -> Targets:
    labels = torch.eye(C)[:B]
    return Targets(labels, torch.arange(B), torch.zeros(B, T, C))


@pytest.mark.parametrize("count", CBP)
@pytest.mark.parametrize("method", [name for name in METHODS if name != "ridge"])
def test_every_method_trains_and_infers_with_any_number_of_streams(method: str, count: int) -> None:
    config = create_config(method, CBP[count])
    learner = create_learner(config, STEPS, 0)
    batch, targets = create_batch(config.roles.names), create_targets()
    for step in range(1, STEPS + 1):
        output = learner.localizer(batch)
        losses = learner.losses(output, batch, targets, step)
        total = torch.stack([learner.loss_weights[name] * loss for name, loss in losses.items()]).sum()
        total.backward()
        learner.after_step(output, targets, step)
    assert torch.isfinite(total)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in learner.parameters())
    assert tuple(output.streams) == CBP[count]
    curves = learner.final_localizer.eval().fuse(learner.final_localizer(batch), batch.masks, {})
    assert curves.activation.shape == (B, T, C)
    assert torch.isfinite(curves.activation).all()


def test_without_weights_fused_curves_are_the_mean_of_the_streams() -> None:
    config = create_config("tscn", CBP[3])
    localizer = create_learner(config, STEPS, 0).localizer.eval()
    batch = create_batch(config.roles.names)
    output = localizer(batch)
    own = [localizer.head.compute_curves(output.streams[n], batch.masks[n]).attention for n in CBP[3]]
    fused = localizer.fuse(output, batch.masks, {})
    assert torch.allclose(fused.attention, torch.stack(own).mean(dim=0), atol=1e-7)
    weights = {"videomae": 3.0, "dino": 0.0, "rgb": 1.0}
    weighted = localizer.fuse(output, batch.masks, weights)
    assert torch.allclose(weighted.attention, 0.75 * own[0] + 0.25 * own[2], atol=1e-7)


@pytest.mark.parametrize(
    ("choice", "streams", "expected"),
    [
        ("others", ("a",), ("a",)),
        ("others", ("a", "b"), ("b",)),
        ("others", ("a", "b", "c"), ("b", "c")),
        ("self", ("a", "b", "c"), ("a",)),
        ("all", ("a", "b", "c"), ("a", "b", "c")),
        ("all", ("a",), ("a",)),
    ],
)
def test_teachers_of_the_first_stream(choice: str, streams: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert select_teachers(choice, streams, "a") == expected


def test_several_teachers_are_averaged() -> None:
    outputs = [StreamOutput(*(torch.randn(2, 3, 4) for _ in range(4))) for _ in range(2)]
    average = average_outputs(outputs)
    assert torch.allclose(average.attention, (outputs[0].attention + outputs[1].attention) / 2)
    assert torch.allclose(average.cas, (outputs[0].cas + outputs[1].cas) / 2)
    assert average_outputs(outputs[:1]).cas is outputs[0].cas


def test_the_teachers_of_ugct_change_its_pseudo_labels() -> None:
    losses = {}
    for choice in ("others", "self", "all"):
        config = create_config("ugct", CBP[3], teachers=choice, attention_targets="soft")
        learner = create_learner(config, STEPS, 0)
        batch = create_batch(config.roles.names)
        loss = learner.losses(learner.localizer(batch), batch, create_targets(), 4)["attention_pseudo"]
        losses[choice] = loss.item()
    assert len(set(losses.values())) == 3
    # A student that starts as a copy of its teacher agrees with itself: only the term of the uncertainty is left.
    assert losses["self"] < min(losses["others"], losses["all"])


def test_fused_audio_may_reach_the_first_stream_only() -> None:
    config = create_config("clip_ae", CBP[2])
    front_end = create_learner(config, STEPS, 0).localizer.front_end
    first, second = (front_end.streams[name].projection.in_features for name in CBP[2])
    assert (first, second) == (4 * config.width, 3 * config.width)


def test_tscn_has_the_weights_of_its_paper_for_rgb_and_flow_only() -> None:
    roles = StreamRoles(("flow", "rgb"))
    config = LocalizerConfig(
        method="tscn", roles=roles, dims={"flow": 4, "rgb": 4}, labels=("a",), width=4, dropout=0.0,
        tscn=TscnSwitches(attention_targets="half"),
    )  # fmt: skip
    learner = create_learner(config, STEPS, 0)
    features = {name: torch.randn(1, T, 4) for name in roles.cbp}
    batch = Batch(("v",), features, {name: torch.ones(1, T, dtype=torch.bool) for name in roles.cbp})
    outputs = learner.previous(batch).streams
    fused = sum(weight * outputs[name].attention for name, weight in PAPER_WEIGHTS.items())
    student = learner.localizer(batch)
    expected = sum(((student.streams[n].attention - (fused > 0.5).float()) ** 2).mean() for n in roles.cbp)
    assert np.isclose(float(learner._pseudo_truth_loss(student, batch)), float(expected), atol=1e-6)


@pytest.mark.parametrize("name", ["train", "forward", "items"])
def test_a_stream_cannot_have_the_name_of_an_attribute_of_torch_modules(name: str) -> None:
    config = create_config("stpn", ("videomae",))
    taken = copy.deepcopy(config)
    object.__setattr__(taken, "roles", StreamRoles((name,)))
    object.__setattr__(taken, "dims", {name: 4})
    with pytest.raises(UserError, match=f"streams.{name}: torch uses this name"):
        create_learner(taken, STEPS, 0)
