"""What is measured on a model's curves, by a localizer that returns planted curves."""

from dataclasses import asdict
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clip_ae.core.errors import UserError
from clip_ae.core.types import Label
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.pipeline import curve_statistics
from clip_ae.pipeline.curve_statistics import effective_share, measure_curves, read_curve_statistics


def measure(predictions, labels):
    table = SimpleNamespace(video_ids=list(predictions))

    def predict_branches(_, __, i):
        return predictions[i] if isinstance(predictions[i], dict) else {"": predictions[i]}

    with mock.patch.object(curve_statistics, "predict_branches", predict_branches):
        return measure_curves(None, table, [Label(i, k, f"cluster-{k:02d}") for i, k in labels])


def predict(attention, activation):
    return VideoPrediction(np.array(attention, float), np.array(activation, float), np.ones(2))


@pytest.mark.parametrize(
    ("curve", "share"), [([1, 1, 1, 1], 1), ([0.3, 0.3, 0, 0], 0.5), ([0, 0, 0, 7], 0.25), ([0, 0, 0, 0], 0)]
)
def test_the_effective_share_of_equal_values_is_their_number(curve, share):
    assert effective_share(np.array(curve, float)) == pytest.approx(share)


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0.01, 1)), st.floats(0.1, 10))
def test_the_share_is_between_one_snippet_and_all_and_has_no_scale(curve, factor):
    share = float(effective_share(curve))
    assert 1 / len(curve) - 1e-9 <= share <= 1 + 1e-9
    assert effective_share(factor * curve) == pytest.approx(share)


def test_only_the_classes_a_video_was_trained_with_are_measured():
    """Video a: class 0 on half of the snippets; b: classes 0 and 1 on a quarter and on all. Means over the videos."""
    predictions = {
        "a": predict([1, 0, 0, 0], [[1, 0.5], [1, 0.5], [0, 0.5], [0, 0.5]]),
        "b": predict([1, 1, 1, 0], [[1, 1], [0, 1], [0, 1], [0, 1]]),
    }
    found = measure(predictions, [("a", 0), ("b", 0), ("b", 1)])
    assert found.attention_share == pytest.approx((0.25 + 0.75) / 2)
    assert found.activation_share == pytest.approx((0.5 + (0.25 + 1) / 2) / 2)


def test_curves_with_errors_are_to_be_smoothed_and_others_not():
    rng = np.random.default_rng(0)
    signals = {f"v{n}": np.cumsum(rng.random((300, 2)) < 0.05, axis=0) % 2 for n in range(20)}
    for sd, is_smoothed in ((0.0, False), (0.5, True)):
        predictions = {
            i: predict(np.ones(300), 0.5 + 0.2 * (s + sd * rng.normal(size=s.shape))) for i, s in signals.items()
        }
        found = measure(predictions, [(i, 0) for i in signals])
        assert (found.smoothing_snippets > 1) == is_smoothed


def test_the_streams_of_a_model_are_compared_and_their_mean_is_measured():
    predictions = {
        "a": {
            "rgb": predict([1, 0, 0, 0], [[1, 0.5], [0, 0.5], [0, 0.5], [0, 0.5]]),
            "flow": predict([0, 1, 0, 0], [[0, 0.5], [1, 0.5], [0, 0.5], [0, 0.5]]),
        }
    }
    found = measure(predictions, [("a", 0)])
    assert (found.attention_share, found.activation_share) == (0.5, 0.5)
    with mock.patch.object(curve_statistics, "find_smoothing_width", return_value=7) as find:
        assert measure(predictions, [("a", 0)]).smoothing_snippets == 7
    assert {name: curves[0].tolist() for name, curves in find.call_args[0][0].items()} == {
        "rgb": [[1], [0], [0], [0]],
        "flow": [[0], [1], [0], [0]],
    }


def test_statistics_are_read_as_they_were_stored():
    found = measure({"a": predict([1, 0], [[1], [0]])}, [("a", 0)])
    assert read_curve_statistics({"curve_statistics": asdict(found)}) == found


def test_a_model_of_an_earlier_version_says_what_to_do():
    with pytest.raises(UserError, match="train it again"):
        read_curve_statistics({"localizer_config": {}})
