from dataclasses import replace

import pytest

from clip_ae.core.config.training import Localization
from clip_ae.proposals.curve_choice import PROBABILITY_CURVES, CurveChoice, CurveStatistics, choose_curve

PEAK = CurveStatistics(attention_share=0.02, activation_share=0.3, smoothing_snippets=3)
WIDE = replace(PEAK, attention_share=0.4)


@pytest.mark.parametrize(
    ("statistics", "curve"), [(PEAK, "activation"), (WIDE, "weighted"), (PROBABILITY_CURVES, "weighted")]
)
def test_attention_that_is_much_narrower_than_the_activation_is_not_used(statistics, curve):
    assert choose_curve(Localization(), statistics, 0.64).curve == curve


def test_attention_and_activation_of_zero_stay_weighted():
    """A model that found nothing: both curves give nothing."""
    assert choose_curve(Localization(), CurveStatistics(0.0, 0.0, 1), 0.64).curve == "weighted"


@pytest.mark.parametrize("curve", ["weighted", "activation"])
def test_a_setting_overrides_the_rule(curve):
    settings = Localization(curve=curve, smoothing_s=2.5)
    assert [choose_curve(settings, s, 0.64) for s in (PEAK, WIDE)] == [CurveChoice(curve, 2.5)] * 2


def test_the_measured_width_is_in_snippets_and_the_choice_in_seconds():
    assert choose_curve(Localization(), PEAK, 0.64).smoothing_s == pytest.approx(1.92)
    assert choose_curve(Localization(smoothing_s=0), PEAK, 0.64).smoothing_s == 0
    assert choose_curve(Localization(), PROBABILITY_CURVES, 0.64).smoothing_s == 0


def test_the_other_curve_has_the_same_smoothing():
    choice = CurveChoice("weighted", 1.5)
    assert choice.other == CurveChoice("activation", 1.5)
    assert choice.other.other == choice
