"""Write a page to look at: scores, timelines, training curves, and what went wrong."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.averages import by_width
from clip_ae.core.config import MAPPINGS
from clip_ae.core.error_kinds import KINDS
from clip_ae.core.provenance import make_record
from clip_ae.core.specs import ReportSpec
from clip_ae.core.timeline import Grid
from clip_ae.core.types import Annotation, Detection
from clip_ae.io.annotations import read_annotations
from clip_ae.io.detections import read_detections
from clip_ae.io.files import write_text
from clip_ae.io.parquet import read_parquet_record, read_rows
from clip_ae.io.records import read_record
from clip_ae.pages import charts
from clip_ae.pages.diagnosis_text import UNITS, multiples, share, span
from clip_ae.pages.page import card, figure, figures, legend, page, paragraph, section, table
from clip_ae.scoring import draws

# A page stays light: as many timelines, and as many detections in each.
TIMELINES = 60
DETECTIONS = 12


def run(
    spec: ReportSpec,
    *,
    runs: Annotated[Path, "folder of the dataset's runs"],
    videos: Annotated[Path, "videos.parquet"],
    failures: Annotated[Path, "failures.parquet"],
    out: Annotated[Path, "HTML page to write"],
    annotations: Annotated[Path | None, "annotations, where there are any"] = None,
    diagnosis: Annotated[Path | None, "diagnosis.json, where there are annotations"] = None,
) -> None:
    folders = {seed: runs / spec.run / f"seed-{seed}" for seed in spec.seeds}
    scored = {seed: _load(folder / "map.json") for seed, folder in folders.items()} if annotations else {}
    first = folders[spec.seeds[0]]
    catalog, failed = read_rows(videos), read_rows(failures)
    truth = read_annotations(annotations) if annotations else {}
    inputs = {"videos": read_parquet_record(videos).id} | {
        f"seed-{seed}": read_record(folder / "detections.json").id for seed, folder in folders.items()
    }
    sections = [
        *(scores(scored) if scored else []),
        *([errors(_load(diagnosis))] if diagnosis else []),
        timelines(spec.grid, first, catalog, truth, _names(scored.get(spec.seeds[0]))),
        training(folders, spec.rounds),
        sources(catalog, failed),
    ]
    lead = f"{spec.run}, seeds {', '.join(map(str, spec.seeds))}; streams {', '.join(spec.streams)}"
    record = make_record("report", spec, inputs)
    write_text(out, page(f"Actions found in {spec.dataset}", lead, sections, record.to_json()))


def scores(scored: Mapping[int, dict[str, Any]]) -> list[str]:
    """Headline numbers, mAP over tIoU, AP a class, mappings."""
    results = list(scored.values())
    columns = [*results[0]["mAP"], *results[0]["average"]]
    rows = [(f"seed {seed}", [{**r["mAP"], **r["average"]}[c] for c in columns]) for seed, r in scored.items()]
    mean = [sum(values) / len(values) for values in zip(*(v for _, v in rows), strict=True)]
    chances = [{**r["chance"]["mAP"], **r["chance"]["average"]} for r in results]
    chance = [_mean(c[column] for c in chances) for column in columns]
    shown = [*rows, ("mean", mean)]
    body = [[name, *(_percent(v) for v in values)] for name, values in [*shown, ("chance", chance)]]
    *_, widest = by_width(results[0]["average"])
    spread = statistics.stdev([r["average"][widest] for r in results]) if len(results) > 1 else 0.0
    average = f"{_percent(mean[columns.index(widest)])} ± {_percent(spread)}"
    between = draws.over_seeds(_means(results), results)
    headline = {
        f"average mAP, tIoU {widest}, {len(results)} seeds": average,
        **({"95 % on other videos": _span(between["interval"]["average"][widest])} if between else {}),
        "chance: same segments, shuffled clusters": _percent(chance[columns.index(widest)]),
    }
    if results[0]["rounds"]:
        headline["purity of the last clusters"] = _percent(_mean(r["rounds"][-1]["purity"] for r in results))
    classes = {name: _mean(_mean(r["per_class"][name].values()) for r in results) for name in results[0]["per_class"]}
    mappings = [
        [name, *(_percent(_mean(r["mapping"][name]["average"][c] for r in results)) for c in results[0]["average"])]
        for name in MAPPINGS
    ]
    return [
        figures(headline),
        section("Mean average precision, %", table(["tIoU", *columns], body)),
        section("Average precision a class, %", card(charts.bars(classes))),
        section("Clusters to classes, %", table(["mapping", *results[0]["average"]], mappings)),
    ]


def errors(found: dict[str, Any]) -> str:
    """What the best detections are, what each kind of error costs, and which actions are missed."""
    at = found["tiou"]
    rows = {f"best {k}": {name: share(found["kinds"][k], name) for name in KINDS} for k in multiples(found)}
    costs = {name: found["cost"][name]["average"] for name in KINDS if name in found["cost"]}
    traits = [
        (span(name, group), str(group["actions"]), _percent(group["missed"]), _percent(group["sensitivity"]))
        for name in UNITS
        for group in found["traits"][name]
    ]
    kinds = f"of the best detections, at tIoU {at:g}; G is the number of a class's actions"
    return section(
        "What is wrong, first seed",
        figure("Kinds of detections", kinds, charts.stacked(rows, charts.OF_KINDS)),
        figure("What each kind costs", "points of mAP, mean over tIoU, without it", charts.bars(costs)),
        table(["actions by trait", "actions", f"missed at {at:g}, %", "normalised mAP, %"], traits),
    )


def timelines(
    grid: Grid,
    folder: Path,
    catalog: list[dict[str, Any]],
    truth: Mapping[str, Annotation],
    names: Mapping[str, str],
) -> str:
    """A picture a video: the strongest detections beside what is annotated."""
    found: dict[str, list[Detection]] = {}
    for d in read_detections(folder / "detections.json"):
        label = names.get(d.label, d.label)
        found.setdefault(d.video_id, []).append(Detection(d.video_id, label, d.score, d.start, d.stop))
    attention: dict[str, list[float]] = {}
    for row in read_rows(folder / "curves.parquet"):
        attention.setdefault(row["video_id"], []).append(row["attention"])
    labels = {i.label for a in truth.values() for i in a.instances} | {d.label for f in found.values() for d in f}
    colour = charts.colours(sorted(labels))
    durations = {row["video_id"]: row["duration"] for row in catalog}
    pictures = []
    for video_id in sorted(attention)[:TIMELINES]:
        duration, curve = durations[video_id], attention[video_id]
        strongest = sorted(found.get(video_id, []), key=lambda d: -d.score)[:DETECTIONS]
        instances = truth[video_id].instances if video_id in truth else ()
        points = [(min(grid.centre(k), duration), value) for k, value in enumerate(curve)]
        picture = charts.timeline(duration, instances, strongest, points, colour)
        pictures.append(figure(video_id, f"{duration:.1f} s", picture))
    note = (
        f"{len(pictures)} of {len(attention)} videos, the {DETECTIONS} strongest detections of each; opacity is score."
    )
    return section("Timelines", paragraph(note), legend(colour), *pictures)


def training(folders: Mapping[int, Path], rounds: int) -> str:
    """The losses of every round, of every seed."""
    pictures = []
    for seed, folder in folders.items():
        for path in (folder / f"round-{number}" / "training.jsonl" for number in range(rounds)):
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            losses = [name for name in lines[0] if name not in ("step", "watched")] if lines else []
            series = {name: [(line["step"], line[name]) for line in lines] for name in losses}
            pictures.append(figure(f"seed {seed}, {path.parent.name}", "loss over steps", charts.curves(series)))
    return section("Training", *pictures)


def sources(catalog: list[dict[str, Any]], failed: list[dict[str, Any]]) -> str:
    """How many videos there were, and every one that gave trouble."""
    statuses = [row["status"] for row in catalog]
    counts = {f"videos {status}": str(statuses.count(status)) for status in ("ok", "partial", "failed", "missing")}
    missing = [(r["video_id"], "catalog", "missing", r["reason"]) for r in catalog if r["status"] == "missing"]
    rows = [(r["video_id"], r["stage"], r["kind"], r["message"]) for r in failed]
    trouble = table(["video", "stage", "kind", "message"], [*rows, *missing], text=True) if rows or missing else ""
    return section("Videos", figures(counts), "<br>", trouble)


def _names(scored: dict[str, Any] | None) -> dict[str, str]:
    """The class that each cluster mostly is, under the headline mapping."""
    if scored is None:
        return {}
    weights = scored["mapping"][scored["mapping"]["headline"]]["weights"]
    return {cluster: max(classes, key=classes.get) for cluster, classes in weights.items() if classes}


def _means(results: Sequence[Any]) -> dict[str, dict[str, float]]:
    return {kind: {c: _mean(r[kind][c] for r in results) for c in results[0][kind]} for kind in draws.KINDS}


def _span(ends: Sequence[float]) -> str:
    return " to ".join(_percent(end) for end in ends)


def _load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _mean(values: Any) -> float:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else 0.0


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
