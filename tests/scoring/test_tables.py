"""The results tables and the ablation tables on invented results."""

from dataclasses import replace
from typing import Any

import pytest

from clip_ae.core.config.methods import CafSwitches, CcpSwitches, Run, SelfSupervision, UgctSwitches
from clip_ae.core.config.schema import CLUSTER_MAPPING_NAMES
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.config.training import LocalizationOverrides, TrainingOverrides
from clip_ae.scoring import ablation, tables
from clip_ae.scoring.bounds import PERFECT_CURVES
from clip_ae.scoring.curves_table import build_curves_table
from clip_ae.scoring.results import (
    ResultTable,
    ScoredRun,
    format_mean_sd,
    format_run_title,
    list_metric_columns,
    list_tiou_ranges,
)

SEEDS = (0, 1, 2)
CAF, CCP = CafSwitches(), CcpSwitches()
RUNS = {
    "stpn": Run(method="stpn"),
    "ugct": Run(method="ugct"),
    "ugct_weak": Run(method="ugct", supervision="weak"),
    "both": Run(method="clip_ae", caf=CAF, ccp=CCP),
    "caf": Run(method="clip_ae", caf=CAF),
    "caf_alone": Run(method="clip_ae", caf=CAF, losses={"decor": 0.0}),
    "ccp": Run(method="clip_ae", ccp=CCP, losses={"ins_dis": 0.5}),
    "oracle": Run(method="oracle", supervision="full"),
}
SPEC = SummarizeSpec("x", "both", SEEDS, RUNS, "thumos14")


def result(value: float, *, supervised: bool = False) -> dict[str, Any]:
    scores = {"mAP": {"0.5": value, "0.1": 2 * value}, "average": {"0.1:0.7": value, "0.1:0.5": 1.5 * value}}
    quality = {"purity": 0.5, "nmi": 0.25, "ari": 0.125, "classes": 20, "covered": 17, "smallest": 1, "largest": 34}
    return {
        **scores,
        "mapping": {"headline": "hungarian", **{n: result_of(scores, k) for k, n in enumerate(CLUSTER_MAPPING_NAMES)}},
        "chance": {"mAP": {}, "average": {"0.1:0.7": 0.021, "0.1:0.5": 0.9}},
        "rounds": [] if supervised else [quality, {**quality, "purity": value}],
        "protocol": "words",
        "counts": {"videos": 213, "videos_with_detections": 213, "videos_without_features": 0},
        "cut_from": {"curve": "weighted", "smoothing_s": 1.92},
        "other_curve": {"cut_from": {"curve": "activation", "smoothing_s": 1.92}, **result_of(scores, 1)},
    }


def result_of(scores: dict[str, Any], drop: int) -> dict[str, Any]:
    return {"average": {c: v - drop / 10 for c, v in scores["average"].items()}}


def build_scored_run(name: str, *values: float) -> ScoredRun:
    supervised = RUNS[name].supervision != "unsupervised"
    return ScoredRun(
        name, RUNS[name], {s: result(v, supervised=supervised) for s, v in zip(SEEDS, values, strict=False)}
    )


ALL = [
    build_scored_run("stpn", 0.20, 0.21, 0.22),
    build_scored_run("both", 0.34, 0.35, 0.36),
    build_scored_run("caf", 0.31, 0.33, 0.35),
    build_scored_run("caf_alone", 0.30, 0.30, 0.30),
    build_scored_run("ccp", 0.31, 0.32, 0.33),
    build_scored_run("ugct", 0.30, 0.31, 0.32),
    build_scored_run("ugct_weak", 0.40, 0.40, 0.40),
    build_scored_run("oracle", 0.60, 0.60, 0.60),
]


def by_name(table: ResultTable, column: str = "run") -> dict[str, dict[str, str]]:
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    return {row[column]: row for row in rows}


def test_columns_rise_and_the_widest_average_is_last() -> None:
    assert list_metric_columns(ALL[0]) == ["0.1", "0.5", "0.1:0.5", "0.1:0.7"]
    three = {"average": {"0.1:0.7": 0, "0.3:0.7": 0, "0.1:0.5": 0}}
    assert list_tiou_ranges(ScoredRun("x", RUNS["stpn"], {0: three})) == ["0.1:0.5", "0.3:0.7", "0.1:0.7"]


def test_cells_are_mean_and_sd_in_percent() -> None:
    row = by_name(tables.build_result_tables(SPEC, ALL)[0])["both"]
    assert row["avg 0.1:0.7"] == "35.0 ± 1.0"
    assert row["0.1"] == "70.0 ± 2.0"
    assert format_mean_sd([37.44]) == "37.4"
    assert format_mean_sd([]) == "-"


def test_published_rows_are_above_ours_as_printed() -> None:
    table = tables.build_result_tables(SPEC, ALL)[0]
    words = [tuple(row[:4]) for row in table.rows]
    ugct = words.index(("unsupervised", "UGCT", "-", "published"))
    assert words[ugct + 1] == ("unsupervised", "UGCT (reconstructed)", "ugct", "ours")
    order = ["weak", "unsupervised", "full"]
    assert [w[0] for w in words] == sorted((w[0] for w in words), key=order.index)
    ours = [w[2] for w in words if w[3] == "ours"]
    assert ours == ["ugct_weak", "stpn", "ugct", "caf", "caf_alone", "ccp", "both", "oracle"]
    rows = {(row[0], row[1]): row[4:-2] for row in table.rows}
    assert rows["unsupervised", "STPN*"] == ["50.1", "20.9", "37.9", "29.3"]
    assert rows["unsupervised", "TCAM"] == ["-", "25.0", "-", "-"]
    for words in ("57.7, 52.4", "best test mAP"):
        assert any(words in note for note in table.notes)


def test_without_published_rows_all_rows_are_ours() -> None:
    table = tables.build_result_tables(replace(SPEC, published=None), ALL)[0]
    assert {row[3] for row in table.rows} == {"ours"}
    assert len(table.notes) == 1


def test_runs_have_their_cost_beside_their_scores() -> None:
    """Mean over seeds; `-` where a seed was not measured, and for published rows."""
    size = {"num_parameters": 1_234_567}
    sized = [replace(run, results={seed: r | size for seed, r in run.results.items()}) for run in ALL]
    measured = replace(sized[1], training_minutes=dict.fromkeys(SEEDS, 2.0) | {0: 3.5})
    some_seeds = replace(sized[2], training_minutes={0: 3.5})
    runs = [sized[0], measured, some_seeds, ALL[3]]
    table = tables.build_result_tables(SPEC, runs)[0]
    assert table.header[-2:] == ["parameters", "training minutes"]
    costs = {name: (row["parameters"], row["training minutes"]) for name, row in by_name(table).items()}
    assert costs["both"] == ("1,234,567", "2.5")
    assert costs["caf"] == ("1,234,567", "-")
    assert costs["caf_alone"] == costs["-"] == ("-", "-")
    assert "students" in table.notes[-1]
    header, rows = tables.build_csv_rows(SPEC, runs, "p")
    cells = {row["run"]: row for row in (dict(zip(header, row, strict=True)) for row in rows)}
    assert (cells["both"]["parameters"], cells["both"]["training minutes"]) == ("1234567", "2.5")
    assert (cells["caf_alone"]["parameters"], cells["caf"]["training minutes"]) == ("", "")


def test_the_bound_has_a_table_of_its_own_and_the_last_row_of_the_csv() -> None:
    bound = result(0.45, supervised=True)
    without, with_bound = tables.build_result_tables(SPEC, ALL), tables.build_result_tables(SPEC, ALL, bound)
    assert [*with_bound[:1], *with_bound[2:]] == without, "no row among the methods"
    table = with_bound[1]
    assert table.header == ["bound", "0.1", "0.5", "avg 0.1:0.5", "avg 0.1:0.7"]
    assert table.rows == [[PERFECT_CURVES, "90.0", "45.0", "67.5", "45.0"]]
    header, rows = tables.build_csv_rows(SPEC, ALL, "p", bound)
    last = dict(zip(header, rows[-1], strict=True))
    assert (last["method"], last["source"], last["run"], last["supervision"]) == (PERFECT_CURVES, "bound", "", "")
    assert (last["0.1"], last["0.1 sd"], last["parameters"]) == ("90", "", "")
    assert len(rows) == len(tables.build_csv_rows(SPEC, ALL, "p")[1]) + 1


def test_only_our_rows_are_marked_simulated() -> None:
    simulated = replace(SPEC, simulated=True)
    for row in tables.build_result_tables(simulated, ALL)[0].rows:
        assert row[3] == ("published" if row[2] == "-" else "ours, simulated")
    assert all(row[2] == "ours, simulated" for s in ablation.build_ablation_tables(simulated, ALL) for row in s.rows)
    assert any("simulated" in line for line in tables.build_result_captions(simulated, ALL))
    assert not any("simulated" in line for line in tables.build_result_captions(SPEC, ALL))


def test_titles_show_modules_and_reconstructions() -> None:
    assert format_run_title(SPEC, RUNS["stpn"]) == "STPN"
    assert format_run_title(SPEC, RUNS["both"]) == "CLIP-AE, CAF + CCP (reconstructed)"
    assert format_run_title(SPEC, Run(method="stpn", clusters=10)) == "STPN, 10 clusters"
    assert format_run_title(SPEC, Run(method="clip_ae")) == "CLIP-AE, no module (reconstructed)"
    assert (
        format_run_title(SPEC, Run(method="ugct", ugct=UgctSwitches(base_head="stpn")))
        == "UGCT over STPN (reconstructed)"
    )


def test_titles_show_runs_whose_segments_are_whole_videos() -> None:
    whole = Run(method="ugct", localization=LocalizationOverrides(segments="whole_video"))
    assert format_run_title(SPEC, whole) == "UGCT (reconstructed), whole videos"
    assert format_run_title(SPEC, replace(whole, localization=LocalizationOverrides())) == "UGCT (reconstructed)"


def test_titles_show_the_controls() -> None:
    runs = [
        Run(method="clip_ae", ccp=CCP, vlp_stream="rgb"),
        Run(method="clip_ae", caf=CafSwitches(audio="next_video")),
        Run(method="clip_ae", caf=CafSwitches(audio="none")),
    ]
    assert [format_run_title(SPEC, run) for run in runs] == [
        "CLIP-AE, CCP (reconstructed), vlp: rgb",
        "CLIP-AE, CAF (reconstructed), audio of the next video",
        "CLIP-AE, CAF (reconstructed), no audio",
    ]


def test_titles_show_clusters_after_feel() -> None:
    kmeans = Run(method="cola", clustering="kmeans")
    assert format_run_title(SPEC, kmeans) == "CoLA"
    for change in ({"cluster_refinement": "k_reciprocal"}, {"confident_shares": (0.25, 1.0)}):
        assert format_run_title(SPEC, replace(kmeans, **change)) == "CoLA, clusters after FEEL (reconstructed)"


def test_captions_name_the_scored_model_and_the_chance_level() -> None:
    text = "\n".join(tables.build_result_captions(SPEC, ALL))
    assert "Chance level of both, average over tIoU 0.1:0.7: 2.1." in text
    for words in ("seeds 0, 1, 2", "as in every map.json: words", "rule hungarian", "last round"):
        assert words in text


def test_captions_say_how_many_test_videos_have_no_features_or_no_detections() -> None:
    runs = [build_scored_run(name, 0.3) for name in ("stpn", "both", "caf", "ccp")]
    assert not any("missed" in line for line in tables.build_result_captions(SPEC, runs))
    for run, found, without in zip(runs, (8, 8, 212, 213), (203, 203, 0, 0), strict=True):
        run.first_result["counts"] |= {"videos_with_detections": found, "videos_without_features": without}
    text = "\n".join(tables.build_result_captions(SPEC, runs))
    assert (
        "203 without features, 2 without detections (of 213 test videos) in stpn, both; "
        "1 without detections (of 213 test videos) in caf" in text
    )


def test_clusters_of_unsupervised_runs_only() -> None:
    _, _, last, rounds, mappings = tables.build_result_tables(SPEC, ALL)
    assert by_name(last)["both"] == {
        "run": "both", "purity": "0.350", "NMI": "0.250", "ARI": "0.125", "classes covered": "17.0 of 20",
        "smallest": "1.0", "largest": "34.0",
    }  # fmt: skip
    assert not {"ugct_weak", "oracle"} & by_name(last).keys()
    assert [row[:2] for row in rounds.rows] == [["0", "0.500"], ["1", "0.350"]]
    rules = [row for row in mappings.rows if row[0] == "both"]
    assert [row[1] for row in rules] == list(CLUSTER_MAPPING_NAMES)
    assert [row[-1] for row in rules] == ["35.0 ± 1.0", "25.0 ± 1.0", "15.0 ± 1.0"]


def test_supervised_runs_have_no_cluster_tables() -> None:
    found = tables.build_result_tables(replace(SPEC, main_run="ugct_weak"), [build_scored_run("ugct_weak", 0.4)])
    assert [table.heading.split(",")[0] for table in found] == ["Mean average precision", "Curves"]


def test_both_curves_of_a_run_are_scored() -> None:
    """Also where the seeds of a run chose different curves."""
    run = build_scored_run("both", 0.34, 0.36)
    first, second = run.results[0], run.results[1]
    swapped = {
        **second,
        "cut_from": second["other_curve"]["cut_from"],
        "other_curve": {**second["other_curve"], "cut_from": second["cut_from"]},
    }
    (row,) = by_name(build_curves_table([replace(run, results={0: first, 1: swapped})])).values()
    assert row == {
        "run": "both", "chosen": "weighted, activation", "smoothing, s": "1.9 ± 0.0",
        "weighted": "30.0 ± 5.7", "activation": "30.0 ± 8.5",
    }  # fmt: skip


def test_the_csv_has_one_number_in_a_cell_and_one_provenance() -> None:
    header, rows = tables.build_csv_rows(SPEC, ALL, "provenance text")
    cells = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["provenance"] for row in cells] == ["provenance text", *[""] * (len(rows) - 1)]
    both = next(row for row in cells if row["run"] == "both")
    assert (float(both["0.1"]), float(both["0.1 sd"])) == (pytest.approx(70), pytest.approx(2))
    published = next(row for row in cells if row["method"] == "STPN*")
    assert (published["0.1"], published["0.1 sd"]) == ("50.1", "")


def test_a_dataset_with_a_frame_protocol_has_its_column_first() -> None:
    def with_frames(run: ScoredRun) -> ScoredRun:
        results = {s: {**r, "frame_mAP": {"charades": r["average"]["0.1:0.7"] / 2}} for s, r in run.results.items()}
        return replace(run, results=results)

    runs = [with_frames(run) for run in ALL]
    assert list_metric_columns(runs[0]) == ["charades", "0.1", "0.5", "0.1:0.5", "0.1:0.7"]
    table = tables.build_result_tables(SPEC, runs)[0]
    rows = {(row[2], row[1]): row[4] for row in table.rows}
    assert table.header[4] == "charades frames"
    assert rows["both", "CLIP-AE, CAF + CCP (reconstructed)"] == "17.5 ± 0.5"
    assert rows["-", "STPN*"] == "-"


def test_every_part_of_clip_ae_is_on_or_off() -> None:
    rows = by_name(ablation.build_ablation_tables(SPEC, ALL)[0])
    switches = {
        name: "".join("+" if row[part] == "on" else "." for part in ablation.PART_NAMES) for name, row in rows.items()
    }
    assert switches == {"ugct": "....", "caf": "++..", "caf_alone": "+...", "ccp": "..++", "both": "++++"}


def test_differences_are_paired_with_the_row_without_modules() -> None:
    rows = by_name(ablation.build_ablation_tables(SPEC, ALL)[0])
    # Differences of caf: 1, 2, 3 points; 4.3027 / sqrt(3) = 2.48.
    assert [rows["caf"][c] for c in ("minus ugct", "95 % interval", "seeds")] == ["+2.00", "[-0.48, +4.48]", "3"]
    assert rows["both"]["95 % interval"] == "[+4.00, +4.00]"
    assert [rows["ugct"][c] for c in ("minus ugct", "95 % interval", "seeds")] == ["-", "-", "-"]


def test_other_methods_are_compared_with_ugct() -> None:
    kmeans = ScoredRun("kmeans", Run(method="stpn", clustering="kmeans"), build_scored_run("stpn", 0.1).results)
    more = ScoredRun("more", Run(method="stpn", clusters=30), build_scored_run("stpn", 0.1).results)
    rows = by_name(ablation.build_ablation_tables(SPEC, [*ALL, kmeans, more])[2])
    assert rows.keys() == {"stpn"}
    assert rows["stpn"]["ugct minus it"] == "+10.00"


def test_one_seed_has_a_difference_but_no_interval() -> None:
    one = [build_scored_run("ugct", 0.3), build_scored_run("both", 0.2996)]
    row = by_name(ablation.build_ablation_tables(SPEC, one)[0])["both"]
    assert (row["minus ugct"], row["95 % interval"], row["seeds"]) == ("-0.04", "-", "1")


def test_a_note_explains_missing_differences() -> None:
    table, _ = ablation.build_ablation_tables(SPEC, [run for run in ALL if run.name != "ugct"])
    assert table.header[-1] == "avg 0.1:0.7"
    assert "no run without modules" in table.notes[0].lower()


def test_the_baseline_is_ugct_or_clip_ae_without_modules() -> None:
    bare = ScoredRun("a", Run(method="clip_ae"), {0: result(0.1)})
    assert ablation.find_baseline([bare, build_scored_run("caf", 0.1)]) is bare
    assert ablation.find_baseline([bare, build_scored_run("ugct", 0.1)]) == build_scored_run("ugct", 0.1)
    assert ablation.find_baseline([build_scored_run("caf", 0.1)]) is None


@pytest.mark.parametrize(
    "other",
    [
        Run(method="ugct", ugct=UgctSwitches(attention_targets="half")),
        Run(method="ugct", clustering="kmeans"),
        Run(method="ugct", clusters=5),
        Run(method="ugct", cluster_refinement="k_reciprocal"),
        Run(method="ugct", confident_shares=(0.5, 1.0)),
        Run(method="ugct", losses={"norm": 0.2}),
        Run(method="clip_ae", caf=CafSwitches(num_layers=4)),
        Run(method="clip_ae", caf=CafSwitches(audio="none")),
        Run(method="clip_ae", ccp=CCP, vlp_stream="rgb"),
        Run(method="ugct", training=TrainingOverrides(width=9)),
        Run(method="ugct", cbp_streams=("rgb",)),
        Run(method="ugct", localization=LocalizationOverrides(smoothing_s=0.0)),
        Run(method="clip_ae", caf=CAF, ccp=CCP, fusion_input="residual"),
        Run(method="clip_ae", caf=CAF, ccp=CCP, descriptor="fused"),
        Run(method="clip_ae", ccp=CCP, self_supervision=SelfSupervision(decor="literal")),
    ],
    ids=lambda run: repr(run)[:70],
)
def test_runs_with_other_settings_are_left_out_of_the_ablation(other: Run) -> None:
    runs = [ScoredRun("a_variant", other, {0: result(0.1)}), *ALL]
    assert "a_variant" not in {
        name for s in ablation.build_ablation_tables(SPEC, runs) for row in s.rows for name in row
    }
    # If the variant is the main run, the comparable runs are those like it.
    spec = replace(SPEC, main_run="a_variant")
    assert "a_variant" in by_name(ablation.build_ablation_tables(spec, runs)[0])


def test_gains_of_parts_over_runs_with_other_parts() -> None:
    no_self = Run(method="clip_ae", caf=CAF, ccp=CCP, losses={"decor": 0.0, "ins_dis": 0.0})
    runs = [*ALL, ScoredRun("no_self", no_self, {s: result(0.3) for s in SEEDS})]
    table = ablation.build_ablation_tables(SPEC, runs)[1]
    gains = {(row[0], row[1], row[3]): row[4] for row in table.rows}
    assert gains == {
        ("L_de-cor", "caf", "caf_alone"): "+3.00",
        ("CCP alone", "no_self", "caf_alone"): "+0.00",
        ("CCP and L_ins-dis", "both", "caf"): "+2.00",
        ("CAF and L_de-cor", "both", "ccp"): "+3.00",
        ("L_de-cor and L_ins-dis", "both", "no_self"): "+5.00",
    }


def test_a_note_explains_an_ablation_without_own_runs() -> None:
    (table,) = ablation.build_ablation_tables(SPEC, [build_scored_run("stpn", 0.2), build_scored_run("ugct_weak", 0.3)])
    assert table.rows == []
    assert "No unsupervised run" in table.notes[0]


def test_table_3_is_shown_for_its_dataset_only() -> None:
    assert [s.heading for s in ablation.build_ablation_tables(SPEC, ALL) if "published" in s.heading] == []
    last = ablation.build_ablation_tables(replace(SPEC, published="activitynet12"), ALL)[-1]
    assert any("best test mAP" in note for note in last.notes)
    assert last.rows[-1] == ["CAF + CCP", "published", "45.3", "28.7", "6.7", "28.9"]


def test_runs_with_other_descriptor_weights_are_not_comparable() -> None:
    other = ScoredRun("other", Run(method="ugct", descriptor_weights="attention"), {0: result(0.1)})
    assert "other" not in {run.name for run in ablation.select_comparable_runs([*ALL[1:5], other], SPEC.main_run)}


@pytest.mark.parametrize("settings", [{"fusion_input": "residual"}, {"descriptor": "fused"}])
def test_settings_of_modules_do_not_matter_in_a_run_without_modules(settings: dict[str, Any]) -> None:
    """Both keys act on the output of the front end, which a run without modules does not have."""
    bare = ScoredRun("bare", Run(method="clip_ae", **settings), {0: result(0.1)})
    assert "bare" in {run.name for run in ablation.select_comparable_runs([*ALL[1:5], bare], SPEC.main_run)}
