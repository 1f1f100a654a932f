"""Classes from examples on planted videos, where class n acts within ACTION and all share a background."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch

from clip_ae.core.types import FeaturesByStream
from clip_ae.language import embedding_space
from clip_ae.language.adapter import JointEmbedding
from clip_ae.language.embedding_space import EmbeddingSpace
from clip_ae.language.few_shot import SnippetMasks, build_prototypes, mask_outside_examples, predict_from_prototypes
from clip_ae.language.spans import Span
from tests.localizers.planted import ACTION, DIMS, ROWS, planted

WHOLE = {f"v{n}": np.ones(ROWS, np.bool_) for n in range(9)}
# One example of two of the classes.
EXAMPLES = [Span("v0", ACTION.start, ACTION.stop, 1), Span("v1", ACTION.start, ACTION.stop, 2)]


@pytest.fixture(scope="module")
def streams() -> FeaturesByStream:
    return planted(dims={name: DIMS[name] for name in ("rgb", "flow")})


def told(
    space: EmbeddingSpace,
    streams: FeaturesByStream,
    video: str,
    examples: Sequence[Span] = EXAMPLES,
    covered: SnippetMasks = WHOLE,
):
    seen = space.embed_streams(streams, "cpu")
    return predict_from_prototypes(
        space,
        seen[video],
        build_prototypes(space, seen, examples, covered, mask_outside_examples(examples, covered)),
        covered[video],
    )


def test_an_action_is_found_by_one_example_of_another_video(streams: FeaturesByStream) -> None:
    for video, kind in (("v3", 0), ("v4", 1)):
        found = told(embedding_space.extracted_space(streams, "cpu"), streams, video)
        acting = np.zeros(ROWS, np.bool_)
        acting[ACTION] = True
        assert found.attention[acting].min() > 2 * found.attention[~acting].max()
        assert found.activation[acting].argmax(axis=1).tolist() == [kind] * int(acting.sum())
        assert found.scores.argmax() == kind


def test_a_class_is_the_mean_of_its_examples_each_with_the_same_say(streams: FeaturesByStream) -> None:
    space = embedding_space.extracted_space(streams, "cpu")
    seen = space.embed_streams(streams, "cpu")
    examples = [Span("v0", 5, 12, 1), Span("v3", 5, 6, 1)]
    at = build_prototypes(space, seen, examples, WHOLE, mask_outside_examples(examples, WHOLE))["rgb"][1]
    first, second = seen["v0"]["rgb"][5:12].mean(0), seen["v3"]["rgb"][5]
    mean = first / first.norm() + second
    torch.testing.assert_close(at, mean / mean.norm())


def test_what_nothing_covers_is_no_example_no_background_and_not_attended(streams: FeaturesByStream) -> None:
    covered = {i: rows.copy() for i, rows in WHOLE.items()}
    covered["v0"][[2, 6]] = covered["v3"][7] = False
    space = embedding_space.extracted_space(streams, "cpu")
    seen = space.embed_streams(streams, "cpu")
    at = build_prototypes(space, seen, EXAMPLES, covered, mask_outside_examples(EXAMPLES, covered))
    spoilt = {i: {view: rows.clone() for view, rows in views.items()} for i, views in seen.items()}
    for rows in spoilt["v0"].values():
        rows[[2, 6]] = -1
    again = build_prototypes(space, spoilt, EXAMPLES, covered, mask_outside_examples(EXAMPLES, covered))
    assert all(torch.equal(at[view], again[view]) for view in at)
    assert predict_from_prototypes(space, seen["v3"], at, covered["v3"]).attention[7] == 0


def test_where_examples_fill_their_videos_other_background_is_taken(streams: FeaturesByStream) -> None:
    whole = [Span("v0", 0, ROWS, 1)]
    around = mask_outside_examples(whole, WHOLE)
    assert not any(rows.any() for rows in around.values())
    space = embedding_space.extracted_space(streams, "cpu")
    seen = space.embed_streams(streams, "cpu")
    assert not build_prototypes(space, seen, whole, WHOLE, around)["rgb"][0].any()
    assert build_prototypes(space, seen, whole, WHOLE, {"v1": WHOLE["v1"]})["rgb"][0].norm() == pytest.approx(1)


def test_what_was_taught_is_compared_beside_the_plain_features_and_knows_a_background_of_its_own(
    streams: FeaturesByStream,
) -> None:
    torch.manual_seed(0)
    joint = JointEmbedding({"rgb": DIMS["rgb"], "flow": DIMS["flow"]}, 4, 6, 0.1, learned_temperature=False).eval()
    plain = embedding_space.extracted_space(streams, "cpu")
    taught = embedding_space.adapted_space(joint, plain)
    assert taught.scales == {"rgb": 7, "flow": 7, "rgb, adapted": pytest.approx(10), "flow, adapted": pytest.approx(10)}
    seen = taught.embed_streams(streams, "cpu")
    whole: Mapping[str, np.ndarray] = {"v0": np.zeros(ROWS, np.bool_)}
    at = build_prototypes(taught, seen, [Span("v0", 5, 12, 1)], WHOLE, whole)
    torch.testing.assert_close(at["rgb, adapted"][0], joint.background_embedding.detach())
    assert not at["rgb"][0].any()
