"""The table of feature adapters on invented results: each run with and without its adapter."""

from dataclasses import replace

from clip_ae.core.config.feature_adapters import FeatureAdapter
from clip_ae.core.config.methods import Run
from clip_ae.core.config.schema import CLUSTER_MAPPING_NAMES
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.scoring import ablation, adapted_features_table, tables
from clip_ae.scoring.main_run import build_main_run_map
from clip_ae.scoring.results import ScoredRun
from tests.scoring.test_tables import result

ADAPTERS = {"free": FeatureAdapter("ugct"), "named": FeatureAdapter("ugct_weak", align_to="names", mode="encoder")}
RUNS = {
    "ugct": Run(method="ugct"),
    "ugct_free": Run(method="ugct", feature_adapter="free"),
    "ugct_named": Run(method="ugct", feature_adapter="named"),
    "stpn_free": Run(method="stpn", feature_adapter="free"),
}
SPEC = SummarizeSpec("x", "ugct", (0, 1, 2), RUNS, feature_adapters=ADAPTERS)


def build_scored_run(name: str, *values: float) -> ScoredRun:
    return ScoredRun(name, RUNS[name], {seed: result(value) for seed, value in enumerate(values)})


SCORED_RUNS = [
    build_scored_run("ugct", 0.30, 0.31, 0.32),
    build_scored_run("ugct_free", 0.33, 0.36, 0.36),
    build_scored_run("ugct_named", 0.40, 0.41, 0.42),
    build_scored_run("stpn_free", 0.20, 0.20, 0.20),
]


def test_each_run_on_adapted_features_is_compared_with_its_unadapted_run() -> None:
    (table,) = adapted_features_table.build_adapter_tables(SPEC, SCORED_RUNS)
    rows = {row[1]: row for row in table.rows}
    assert list(rows) == ["stpn_free", "ugct_free", "ugct_named"]
    assert rows["ugct_free"][3:] == ["50, 35", "35.0 ± 1.7", "31.0 ± 1.0", "+4.0", "+1.5 to +6.5"]
    assert rows["stpn_free"][4:] == ["20.0 ± 0.0", "-", "-", "-"]


def test_titles_name_the_adapter_and_whether_it_uses_class_names() -> None:
    titles = {row[2]: row[1] for row in tables.build_result_tables(SPEC, SCORED_RUNS)[0].rows}
    assert titles["ugct_free"] == "UGCT (reconstructed), post-pretrained adapter, aligned to prototypes"
    assert titles["ugct_named"] == "UGCT (reconstructed), post-pretrained encoder, uses class names"
    assert titles["ugct"] == "UGCT (reconstructed)"


def test_no_table_without_runs_on_adapted_features() -> None:
    assert adapted_features_table.build_adapter_tables(SPEC, SCORED_RUNS[:1]) == []


def test_the_ablation_compares_only_runs_on_the_same_features() -> None:
    assert [run.name for run in ablation.select_comparable_runs(SCORED_RUNS[:3], "ugct")] == ["ugct"]
    assert [run.name for run in ablation.select_comparable_runs(SCORED_RUNS[:3], "ugct_named")] == ["ugct_named"]


def test_the_description_counts_held_out_classes() -> None:
    description = FeatureAdapter(run="ugct", held_out_classes=("jump", "throw")).description
    assert description == "post-pretrained adapter, aligned to prototypes, 2 classes held out by annotations"


def test_the_main_run_map_describes_the_features() -> None:
    spec = replace(SPEC, main_run="ugct_named", runs={}, feature_adapters={"named": ADAPTERS["named"]})
    results = [
        {**result(v), "chance": result(0.1), "per_class": {}, "counts": {}, "mapping": mapping()}
        for v in (0.4, 0.5, 0.6)
    ]
    assert build_main_run_map(spec, results, {}, None)["features"] == "post-pretrained encoder, uses class names"
    assert "features" not in build_main_run_map(replace(spec, feature_adapters={}), results, {}, None)


def mapping() -> dict:
    return {"headline": "hungarian", **{name: result(0.3) for name in CLUSTER_MAPPING_NAMES}}
