"""Sections of the report, and the data that its script draws."""

import base64
import json
import re
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.config.schema import CLUSTER_MAPPING_NAMES
from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, Instance
from clip_ae.pages.report.clusters import render_clusters, render_contingency
from clip_ae.pages.report.error_charts import render_errors
from clip_ae.pages.report.scores import render_scores
from clip_ae.pages.report.training_curves import render_training_curves
from clip_ae.pages.report.videos import VideoEntry, build_page_data, encode_curve, render_timelines

GRID = SnippetGrid()


def pack(videos: list[VideoEntry], names: dict[str, str] | None = None) -> Any:
    return json.loads(build_page_data(videos, names or {}, GRID))


def bytes_of(text: str) -> list[int]:
    return list(base64.b64decode(text))


@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=50), st.integers(1, 7))
def test_a_curve_has_the_peak_of_each_chunk(values: list[float], chunk: int) -> None:
    result = bytes_of(encode_curve(values, chunk))
    expected = [max(values[k : k + chunk]) for k in range(0, len(values), chunk)]
    np.testing.assert_allclose(np.array(result) / 255, np.clip(expected, 0, 1), atol=0.5 / 255 + 1e-9)


def test_labels_are_classes_and_clusters_with_their_class() -> None:
    detections = [Detection("v", "cluster-01", 0.25, 1, 2), Detection("v", "cluster-00", 0.123456, 3, 4.5678)]
    video = VideoEntry(
        "v", 10.0, [0.5], {"cluster-00": [1.0]}, detections, [Instance("jump", 3, 4)], ap=0.5, file="x/v.mp4"
    )
    content = pack([video], {"cluster-00": "jump", "cluster-01": "run"})
    assert content["labels"] == [["jump", None], ["jump", "cluster-00"], ["run", "cluster-01"]]
    assert list(content["colours"]) == ["jump", "run"]
    (one,) = content["videos"]
    assert one["ground_truth"] == [[0, 3, 4]]
    assert one["detections"] == [[2, 0.25, 1, 2], [1, 0.1235, 3, 4.57]]
    assert one["activation"] == {"1": encode_curve([1.0])}
    assert (one["id"], one["duration"], one["ap"], one["file"]) == ("v", 10.0, 0.5, "x/v.mp4")


def test_a_cluster_without_a_name_is_its_own_class() -> None:
    content = pack([VideoEntry("v", 1.0, [0.5], {}, [Detection("v", "cluster-07", 0.5, 0, 1)])])
    assert content["labels"] == [["cluster-07", None]]


def test_a_detected_and_annotated_class_is_one_label() -> None:
    video = VideoEntry("v", 1.0, [0.5], {"jump": [0.4]}, [Detection("v", "jump", 0.5, 0, 1)], [Instance("jump", 0, 1)])
    content = pack([video], {"jump": "jump"})
    assert content["labels"] == [["jump", None]]
    assert content["videos"][0]["detections"] == [[0, 0.5, 0, 1]]


def test_points_have_the_time_of_their_snippets() -> None:
    (short,) = pack([VideoEntry("v", 1.0, [0.1, 0.9], {})])["videos"]
    assert (short["first_time"], short["time_step"]) == (0.32, 0.64)
    (long,) = pack([VideoEntry("v", 800.0, [0.0] * 1201, {})])["videos"]
    assert (long["first_time"], long["time_step"]) == (0.32 + 0.64, 3 * 0.64)
    assert len(bytes_of(long["attention"])) == 401


def test_loudness_is_scaled_from_a_quiet_room_to_full_scale() -> None:
    (video,) = pack([VideoEntry("v", 1.0, [0.0] * 4, {}, loudness=[0.0, -30.0, -96.0, None])])["videos"]
    assert bytes_of(video["loudness"]) == [255, 128, 0, 0]
    assert pack([VideoEntry("v", 1.0, [0.0], {})])["videos"][0]["loudness"] is None


def test_the_best_detections_are_packed_and_all_are_counted() -> None:
    detections = [Detection("v", "a", k / 1000, 0, 1) for k in range(700)]
    (video,) = pack([VideoEntry("v", 1.0, [0.0], {}, detections)])["videos"]
    assert video["num_detections"] == 700
    assert [score for _, score, *_ in video["detections"]] == [k / 1000 for k in range(699, 499, -1)]


def test_500_and_5000_videos_are_below_eight_megabytes() -> None:
    curves = np.random.default_rng(0).random((4, 900)).tolist()
    detections = [Detection("v", f"cluster-{k % 20:02d}", 1 / (k + 1.7), k / 3, k / 2.7) for k in range(250)]
    activation = {f"cluster-{k:02d}": curves[k] for k in range(3)}
    truth = [Instance("class", k * 7.31, k * 7.31 + 5.17) for k in range(15)]
    moments = [Detection(f"video_{k:07d}", "", (k + 0.7) / 301, 300 + k / 3, 301 + k / 2.7) for k in range(300)]
    vocabulary = {f"a sentence, or a few words, with the number {k}": moments for k in range(500)}
    for number, moments_by_text in ((500, {}), (500, vocabulary), (5000, {}), (5000, vocabulary)):
        videos = [
            VideoEntry(f"video_{k:07d}", 576, curves[3], activation, detections, truth, [-20.0] * 900)
            for k in range(number)
        ]
        assert len(build_page_data(videos, {}, GRID, moments_by_text).encode()) < 8e6


def test_orders_by_ap_need_a_video_with_an_ap() -> None:
    assert 'value="worst"' not in render_timelines([VideoEntry("v", 1.0, [0.0], {})])
    assert 'value="worst"' in render_timelines([VideoEntry("v", 1.0, [0.0], {}, ap=0.0)])


def result(value: float) -> dict[str, Any]:
    metrics = {"mAP": {"0.3": value, "0.5": value / 2}, "average": {"0.3:0.5": 0.75 * value}}
    return {
        **metrics,
        "chance": {**{k: {c: v / 10 for c, v in f.items()} for k, f in metrics.items()}, "shuffles": 3},
        "per_class": {"jump": {"0.3": value, "0.5": value}, "run": {"0.3": 0.9, "0.5": 0.9}},
        "rounds": [{"purity": 0.5}, {"purity": value}],
        "counts": {"videos": 7, "videos_with_detections": 7, "videos_without_features": 0},
    }


def cells(html: str) -> dict[str, list[str]]:
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th>((?:<td>[^<]*</td>)*)</tr>', html)
    return {name: re.findall(r"<td>([^<]*)</td>", rest) for name, rest in rows if "<td>" in rest}


def test_scores_show_seeds_mean_interval_and_published_row() -> None:
    interval = {"mAP": {"0.3": (0.4, 0.6), "0.5": (0.2, 0.3)}, "average": {"0.3:0.5": (0.3, 0.45)}}
    html = render_scores({0: result(0.4), 7: result(0.6)}, interval, {"UGCT": {"0.3": 51.7, "0.3:0.5": 40.0}})
    rows = cells(html)
    assert re.findall(r'<th scope="col">([^<]*)</th>', html) == ["tIoU", "avg 0.3:0.5", "0.3", "0.5"]
    assert rows["seed 7"] == ["45.0", "60.0", "30.0"]
    assert rows["mean"] == ["37.5", "50.0", "25.0"]
    assert rows["95 % interval from"] == ["30.0", "40.0", "20.0"]
    assert rows["95 % interval to"] == ["45.0", "60.0", "30.0"]
    assert rows["UGCT, published"] == ["40.0", "51.7", ""]
    assert rows["chance level"] == ["3.8", "5.0", "2.5"]
    key_numbers = dict(re.findall(r"<div><b>([^<]*)</b><span>([^<]*)</span>", html))
    assert key_numbers == {
        "37.5 ± 10.6": "average mAP, tIoU 0.3:0.5, 2 seeds",
        "30.0 to 45.0": "95 % interval (bootstrap over videos)",
        "40.0": "UGCT, published",
        "3.8": "chance level: same segments, permuted clusters",
        "50.0": "cluster purity, last round",
    }
    assert html.index(">run<") < html.index(">jump<"), "the best class comes first"


def test_videos_without_detections_are_a_key_number() -> None:
    missed = {**result(0.4), "counts": {"videos": 7, "videos_with_detections": 5, "videos_without_features": 0}}
    assert "<b>2 of 7</b><span>test videos without features or detections, scored as missed" in render_scores(
        {0: missed}, None, {}
    )
    assert "scored as missed" not in render_scores({0: result(0.4)}, None, {})


def test_scores_of_one_seed_without_interval_and_published_row() -> None:
    html = render_scores({3: result(0.4)}, None, {})
    assert set(cells(html)) == {"seed 3", "mean", "chance level"}
    assert "±" not in html
    assert "band" not in html


def test_frame_scores_have_the_first_column() -> None:
    frames = {"frame_mAP": {"charades": 0.123}}
    with_frames = {**result(0.4), **frames, "chance": {**result(0.4)["chance"], "frame_mAP": {"charades": 0.02}}}
    interval = {"mAP": {"0.3": (0.4, 0.6), "0.5": (0.2, 0.3)}, "average": {"0.3:0.5": (0.3, 0.45)}}
    html = render_scores({3: with_frames}, {**interval, "frame_mAP": {"charades": (0.11, 0.14)}}, {"UGCT": {}})
    rows = cells(html)
    assert re.findall(r'<th scope="col">([^<]*)</th>', html)[:3] == ["tIoU", "charades frames", "avg 0.3:0.5"]
    assert [rows[name][0] for name in ("seed 3", "mean", "chance level", "UGCT, published")] == [
        "12.3",
        "12.3",
        "2.0",
        "",
    ]
    assert [rows[f"95 % interval {end}"][0] for end in ("from", "to")] == ["11.0", "14.0"]


def test_clusters_are_in_the_order_of_their_classes() -> None:
    html = render_contingency({"cluster-00": {"run": 4, "jump": 1}, "cluster-01": {}, "cluster-02": {"jump": 2}})
    assert re.findall(r'<th scope="row">([^<]*)<', html) == ["cluster-02", "cluster-00", "cluster-01"]
    assert re.findall(r"--share:([\d.]+)", html) == ["0.50", "0.25", "1.00"]
    assert ">cluster-00<" in render_contingency({"cluster-00": {}})


def test_rounds_and_mappings_are_means_over_seeds() -> None:
    def seed(purity: float) -> dict[str, Any]:
        quality = {"purity": purity, "nmi": 0.5, "ari": 0.25, "covered": 2, "classes": 3, "smallest": 1, "largest": 4}
        rules = {rule: {"average": {"0.1:0.7": purity / 2}} for rule in CLUSTER_MAPPING_NAMES}
        return {"average": {"0.1:0.7": 0.5}, "rounds": [quality], "mapping": {"contingency": {"c": {"a": 1}}, **rules}}

    rows = cells(render_clusters({0: seed(0.5), 1: seed(0.7)}))
    assert rows["0"] == ["60.0", "0.500", "0.250", "2.0 of 3", "1.0", "4.0"]
    assert {name: rows[name] for name in CLUSTER_MAPPING_NAMES} == {name: ["30.0"] for name in CLUSTER_MAPPING_NAMES}


def test_errors_by_type_impact_and_characteristic() -> None:
    group = {"from": 1.0, "to": 2.5, "actions": 7, "missed": 0.25, "group_mAP": 0.3, "sensitivity": 0.4}
    diagnosis: dict[str, Any] = {
        "tiou": 0.5,
        "boundary_error": {
            "actions": 7,
            "start": {"median_absolute_s": 0.5, "mean_signed_s": -0.25},
            "stop": None,
        },
        "proposals": {"AR": {"100": 0.75, "10": 0.5}, "AUC": 0.6, "per_video": 12.34},
        "kinds": {"10G": dict.fromkeys(ERROR_TYPES, 1), "1G": {**dict.fromkeys(ERROR_TYPES, 0), "true": 2}},
        "cost": {"background": {"average": 0.123}},
        "traits": {"length": [group], "coverage": [], "instances": []},
    }
    html = render_errors(diagnosis)
    assert html.index("top 1G") < html.index("top 10G")
    assert 'aria-label="true 100.0 %"' in html
    assert re.findall(r'<i style="width:([\d.]+)%"></i></td><td>([^<]*)', html) == [("100.00", "12.3")]
    rows = cells(html)
    assert rows["length 1 to 2.5 s"] == ["7", "25.0", "30.0", "40.0"]
    assert (rows["start"], rows["end"]) == (["0.50", "-0.25"], ["-", "-"])
    assert [name for name in rows if name.startswith("AR@")] == ["AR@10", "AR@100"]
    assert (rows["AR@100"], rows["area under AR, AN 1 to 100"]) == (["75.0"], ["60.0"])
    assert "12.3 segments on average" in html
    assert "<h3>Curves</h3>" not in html
    diagnosis["curves"] = {
        "attention": {"auc": 0.875, "videos": 3},
        "activation": {"auc": None, "pairs": 0, "pairs_without_curve": 4},
    }
    rows = cells(render_errors(diagnosis))
    assert rows["attention"] == ["87.5", "3 videos"]
    assert rows["activation of true classes"] == ["-", "0 pairs (4 more without a curve)"]


def test_losses_of_every_seed_and_round_and_an_empty_log() -> None:
    log = [{"step": 1, "diagnostics": {"x": 1}, "total": 2.0}, {"step": 9, "diagnostics": {}, "total": 1.0}]
    html = render_training_curves({0: [log, log], 1: [log, []]})
    assert html.count("<figure>") == 4
    assert html.count("<details>") == 1
    assert "total from 2 to 1" in html
    assert html.count("losses over steps, before their weights; total: their weighted sum") == 4
    assert "diagnostics" not in html
