"""Score detections against annotations: only here do clusters get the names of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from clip_ae.clustering.quality import Quality, quality
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import digest, make_record
from clip_ae.core.specs import EvaluateSpec
from clip_ae.core.types import Annotation, Label
from clip_ae.io.annotations import ids_in, read_annotations
from clip_ae.io.detections import read_detections, read_json_record, write_json
from clip_ae.io.labels import read_labels
from clip_ae.io.parquet import read_parquet_record
from clip_ae.scoring.evaluate import main_class, pose, score

PROTOCOL = (
    "ActivityNet detection in seconds, neither detections nor ground truth rounded: by falling score each detection "
    "takes the free ground truth of its video and class with the highest tIoU, if that reaches the threshold; "
    "all-point interpolated AP; mean over the classes that occur in the test subset. "
    "Clusters get class names from the training videos' annotations, here and nowhere else. "
    "Chance: each test video's clusters renamed by a random permutation, segments and scores kept; "
    "mean over the shuffles."
)


def run(
    spec: EvaluateSpec,
    *,
    detections: Annotated[Path, "detections.json, in ActivityNet's submission form"],
    labels: Annotated[tuple[Path, ...], "labels.parquet of every round, the last one last"],
    annotations: Annotated[Path, "annotation file in ActivityNet's form"],
    out: Annotated[Path, "map.json to write"],
) -> None:
    database = read_annotations(annotations)
    test = {i: database[i] for i in sorted(ids_in(annotations, spec.test_subset))}
    if not any(a.instances for a in test.values()):
        raise UserError(f"{annotations}: subset '{spec.test_subset}' has no annotated action to score against")
    rounds = [read_labels(path) for path in labels]
    train = _known(database, rounds[-1], spec.train_subset)
    if not train:
        raise UserError(
            f"{annotations}: no video of {labels[-1].name} has an annotated action in subset '{spec.train_subset}', "
            "so no cluster can be named"
        )
    found = read_detections(detections)
    told = spec.supervision != "unsupervised"
    problem = pose(test, train, rounds[-1], found, told=told)
    inputs = {
        "annotations": digest(annotations.read_text(encoding="utf-8")),
        "detections": read_json_record(detections).id,
        **{f"labels/{k}": read_parquet_record(path).id for k, path in enumerate(labels)},
    }
    inside = [d for d in found if d.video_id in test]
    content = {
        **score(problem, spec.evaluation),
        # Of every round's clusters; none where the classes were told.
        "rounds": [] if told else [asdict(_quality(database, r, spec.train_subset)) for r in rounds],
        "counts": {
            "videos": len(test),
            "videos_with_detections": len({d.video_id for d in inside}),
            "instances": len(problem.truth),
            "classes": len({i.label for a in test.values() for i in a.instances}),
            "detections": len(problem.detections),
            "detections_outside_subset": len(found) - len(inside),
            "detections_without_cluster": len(inside) - len(problem.detections),
        },
        "protocol": PROTOCOL,
        "provenance": asdict(make_record("evaluate", spec, inputs, ("numpy", "scikit-learn", "scipy"))),
    }
    write_json(out, content)


def _quality(database: Mapping[str, Annotation], labels: Sequence[Label], subset: str) -> Quality:
    known = _known(database, labels, subset)
    clusters = {label.video_id: label.cluster for label in labels}
    return quality([clusters[i] for i in known], [main_class(a) for a in known.values()])


def _known(database: Mapping[str, Annotation], labels: Sequence[Label], subset: str) -> dict[str, Annotation]:
    """The labelled training videos whose class is known."""
    known = {i: database[i] for i in sorted({label.video_id for label in labels}) if i in database}
    return {i: a for i, a in known.items() if a.subset == subset and a.instances}
