"""Prototypes on planted videos: class n acts within ACTION, and all videos share a background."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from clip_ae.core.types import FeaturesByStream
from clip_ae.language import embedding_space
from clip_ae.language.adapter import JointEmbedding
from clip_ae.language.embedding_space import EmbeddingSpace
from clip_ae.language.few_shot import build_prototypes, mask_outside_examples, predict_from_prototypes
from clip_ae.language.spans import Span
from clip_ae.localizers.inference import VideoPrediction
from tests.localizers.planted import ACTION, DIMS, ROWS, planted

COVERAGE = {f"v{n}": np.ones(ROWS, np.bool_) for n in range(9)}
# One example of two of the classes.
EXAMPLES = [Span("v0", ACTION.start, ACTION.stop, 1), Span("v1", ACTION.start, ACTION.stop, 2)]


@pytest.fixture(scope="module")
def streams() -> FeaturesByStream:
    return planted(dims={name: DIMS[name] for name in ("rgb", "flow")})


def predict(space: EmbeddingSpace, streams: FeaturesByStream, video_id: str) -> VideoPrediction:
    embeddings = space.embed_streams(streams, "cpu")
    prototypes = build_prototypes(space, embeddings, EXAMPLES, COVERAGE, mask_outside_examples(EXAMPLES, COVERAGE))
    return predict_from_prototypes(space, embeddings[video_id], prototypes, COVERAGE[video_id])


def test_one_example_finds_the_action_in_another_video(streams: FeaturesByStream) -> None:
    action_mask = np.zeros(ROWS, np.bool_)
    action_mask[ACTION] = True
    for video_id, class_index in (("v3", 0), ("v4", 1)):
        prediction = predict(embedding_space.extracted_space(streams, "cpu"), streams, video_id)
        assert prediction.attention[action_mask].min() > 2 * prediction.attention[~action_mask].max()
        assert (prediction.activation[action_mask].argmax(axis=1) == class_index).all()
        assert prediction.scores.argmax() == class_index


def test_a_prototype_is_the_mean_of_its_examples_with_equal_weight(streams: FeaturesByStream) -> None:
    space = embedding_space.extracted_space(streams, "cpu")
    embeddings = space.embed_streams(streams, "cpu")
    examples = [Span("v0", 5, 12, 1), Span("v3", 5, 6, 1)]
    prototypes = build_prototypes(space, embeddings, examples, COVERAGE, mask_outside_examples(examples, COVERAGE))
    first, second = embeddings["v0"]["rgb"][5:12].mean(0), embeddings["v3"]["rgb"][5]
    mean = first / first.norm() + second
    torch.testing.assert_close(prototypes["rgb"][1], mean / mean.norm())


def test_snippets_without_coverage_are_not_used_and_have_no_attention(streams: FeaturesByStream) -> None:
    masks = {i: mask.copy() for i, mask in COVERAGE.items()}
    masks["v0"][[2, 6]] = masks["v3"][7] = False
    space = embedding_space.extracted_space(streams, "cpu")
    embeddings = space.embed_streams(streams, "cpu")
    prototypes = build_prototypes(space, embeddings, EXAMPLES, masks, mask_outside_examples(EXAMPLES, masks))
    changed = {i: {view: x.clone() for view, x in views.items()} for i, views in embeddings.items()}
    for x in changed["v0"].values():
        x[[2, 6]] = -1
    again = build_prototypes(space, changed, EXAMPLES, masks, mask_outside_examples(EXAMPLES, masks))
    assert all(torch.equal(prototypes[view], again[view]) for view in prototypes)
    assert predict_from_prototypes(space, embeddings["v3"], prototypes, masks["v3"]).attention[7] == 0


def test_background_from_other_videos_is_used_if_examples_fill_their_videos(streams: FeaturesByStream) -> None:
    examples = [Span("v0", 0, ROWS, 1)]
    outside_masks = mask_outside_examples(examples, COVERAGE)
    assert not any(mask.any() for mask in outside_masks.values())
    space = embedding_space.extracted_space(streams, "cpu")
    embeddings = space.embed_streams(streams, "cpu")
    assert not build_prototypes(space, embeddings, examples, COVERAGE, outside_masks)["rgb"][0].any()
    prototypes = build_prototypes(space, embeddings, examples, COVERAGE, {"v1": COVERAGE["v1"]})
    assert prototypes["rgb"][0].norm() == pytest.approx(1)


def test_the_adapted_space_has_extracted_and_adapted_views_and_a_learned_background(
    streams: FeaturesByStream,
) -> None:
    torch.manual_seed(0)
    joint = JointEmbedding({"rgb": DIMS["rgb"], "flow": DIMS["flow"]}, 4, 6, 0.1, learned_temperature=False).eval()
    space = embedding_space.adapted_space(joint, embedding_space.extracted_space(streams, "cpu"))
    assert space.scales == {"rgb": 7, "flow": 7, "rgb, adapted": pytest.approx(10), "flow, adapted": pytest.approx(10)}
    embeddings = space.embed_streams(streams, "cpu")
    no_background: Mapping[str, np.ndarray] = {"v0": np.zeros(ROWS, np.bool_)}
    prototypes = build_prototypes(space, embeddings, [Span("v0", 5, 12, 1)], COVERAGE, no_background)
    torch.testing.assert_close(prototypes["rgb, adapted"][0], joint.background_embedding.detach())
    assert not prototypes["rgb"][0].any()
