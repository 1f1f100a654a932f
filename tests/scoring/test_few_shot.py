"""Means, intervals and gains of few-shot episodes against a calculation by hand."""

from clip_ae.core.config.feature_adapters import FeatureAdapter, FewShotEvaluation
from clip_ae.core.config.specs import ScoreFewshotSpec
from clip_ae.scoring import few_shot

SPEC = ScoreFewshotSpec(
    dataset="d",
    fewshot=FewShotEvaluation(("adapted",), shots=(1,), episodes=3),
    streams=("rgb", "flow"),
    feature_adapters={"adapted": FeatureAdapter(run="ugct", held_out_classes=("a", "b"))},
)


def scores(*values: float) -> few_shot.EpisodeScores:
    """Episodes with these averages; the chance level is a tenth of them."""
    episodes = [({"mAP": {"0.5": v}, "average": {"0.1:0.3": 0, "0.1:0.7": v}}, v / 10) for v in values]
    return {1: [(s, {kind: dict.fromkeys(s[kind], chance) for kind in s}) for s, chance in episodes]}


def test_means_and_intervals_by_hand() -> None:
    """Episodes 0.1, 0.2, 0.3: sd 0.1; t of 2 degrees of freedom is 4.3027, so 0.2 +- 0.2484. Each gain is 0.1."""
    result = few_shot.build_fewshot_result(
        SPEC, ["a", "b"], {"plain": scores(0.1, 0.2, 0.3), "adapted": scores(0.2, 0.3, 0.4)}
    )
    (plain, adapted) = few_shot.build_fewshot_table(SPEC, result).rows
    assert plain == ["plain", "no adapter", "20.0 [-4.8, 44.8]", "2.0", "-"]
    assert adapted == ["adapted", "no class names", "30.0 [5.2, 54.8]", "3.0", "+10.0 [+10.0, +10.0]"]
