from clip_ae.core.config.feature_adapters import FeatureAdapter, FewShotEvaluation
from clip_ae.core.config.specs import ScoreFewshotSpec
from clip_ae.scoring import few_shot

SPEC = ScoreFewshotSpec(
    dataset="d",
    fewshot=FewShotEvaluation(("taught",), shots=(1,), episodes=3),
    feature_adapters={"taught": FeatureAdapter(run="ugct", held_out_classes=("a", "b"))},
)


def scores(*values: float) -> few_shot.EpisodeScores:
    """Chance is a tenth."""
    at = [({"mAP": {"0.5": v}, "average": {"0.1:0.3": 0, "0.1:0.7": v}}, v / 10) for v in values]
    return {1: [(s, {kind: dict.fromkeys(s[kind], by) for kind in s}) for s, by in at]}


def test_means_and_intervals_by_hand() -> None:
    """Episodes 0.1, 0.2, 0.3: sd 0.1; t of 2 degrees of freedom is 4.3027, so 0.2 +- 0.2484. Apart by 0.1 each time."""
    found = few_shot.build_fewshot_result(
        SPEC, ["a", "b"], {"plain": scores(0.1, 0.2, 0.3), "taught": scores(0.2, 0.3, 0.4)}
    )
    (plain, taught) = few_shot.build_fewshot_table(SPEC, found).rows
    assert plain == ["plain", "no adapter", "20.0 [-4.8, 44.8]", "2.0", "-"]
    assert taught == ["taught", "no class names", "30.0 [5.2, 54.8]", "3.0", "+10.0 [+10.0, +10.0]"]
