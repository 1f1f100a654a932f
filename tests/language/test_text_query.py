"""Logits of text queries, compared with float64 loops."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.language import text_query
from clip_ae.language.adapter import JointEmbedding
from clip_ae.language.adapter_training import create_joint_embedding
from clip_ae.language.text_query import TextQuery

DIM = 16


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def rows() -> np.ndarray:
    """[40, DIM]: snippets of unit length; the last one has no coverage."""
    snippets = unit(np.random.default_rng(0).standard_normal((40, DIM))).astype(np.float16)
    snippets[-1] = 0
    return snippets


@pytest.fixture
def text() -> np.ndarray:
    return unit(np.random.default_rng(1).standard_normal((1, DIM)))[0].astype(np.float32)


@pytest.fixture
def joint() -> JointEmbedding:
    return create_joint_embedding({"rgb": 4, "flow": 4}, DIM, AdapterTraining(width=DIM), seed=0).eval()


def test_in_clips_space_a_text_is_compared_with_the_mean_snippet(rows: np.ndarray, text: np.ndarray) -> None:
    mean = rows[:-1].mean(axis=0, dtype=np.float64).astype(np.float32)
    logits = text_query.build_clip_query(text, mean, 50.0).logits(rows)
    for row, logit in zip(rows[:-1].astype(float).tolist(), logits, strict=False):
        similarity = sum((a - m) * t for a, m, t in zip(row, mean.tolist(), text.tolist(), strict=True))
        assert logit == pytest.approx(50 * similarity, abs=1e-5)


def test_in_the_joint_space_a_text_is_compared_with_background(
    rows: np.ndarray, text: np.ndarray, joint: JointEmbedding
) -> None:
    logits = text_query.build_joint_query(text, joint).logits(rows)
    with torch.no_grad():
        texts = torch.stack([joint.background_embedding, joint.embed_texts(torch.from_numpy(text)[None])[0]]).double()
        probabilities = (float(joint.scale) * torch.from_numpy(rows.astype(np.float64)) @ texts.T).softmax(dim=1)[:, 1]
    assert np.allclose(1 / (1 + np.exp(-logits[:-1])), probabilities[:-1], atol=1e-5)


def test_a_snippet_without_coverage_has_the_lowest_logit(
    rows: np.ndarray, text: np.ndarray, joint: JointEmbedding
) -> None:
    for query in (
        text_query.build_joint_query(text, joint),
        text_query.build_clip_query(text, np.zeros(DIM, np.float32), 50.0),
    ):
        logits = query.logits(rows)
        assert logits[-1] == logits.min() < 0


def test_max_scores_rank_videos_as_exact_logits_do() -> None:
    """In half precision, with blocks that split a video, and without warnings for read-only memory."""
    rng = np.random.default_rng(2)
    rows = unit(rng.standard_normal((600, DIM))).astype(np.float16)
    first_rows = np.array([0, 1, 50, 200, 205, 420, 600])
    blocks = [rows[:100], rows[100:210], rows[210:]]
    for block in blocks:
        block.flags.writeable = False
    query = TextQuery(unit(rng.standard_normal((1, DIM)))[0].astype(np.float32), 0.1, 20.0)
    exact = np.array([query.logits(rows[a:b]).max() for a, b in pairwise(first_rows)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maxima = text_query.max_score_per_video(blocks, first_rows, query)
    assert np.argsort(-maxima).tolist() == np.argsort(-exact).tolist()
    assert np.allclose(maxima, exact / query.scale + query.offset, atol=2e-3)
