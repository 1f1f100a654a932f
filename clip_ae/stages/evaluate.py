"""Score detections against annotations: the only stage in which class names appear."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from clip_ae.clustering.quality import quality
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import digest, make_record
from clip_ae.core.specs import EvaluateSpec
from clip_ae.core.types import Annotation
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
    "mean over the shuffles. All figures are fractions."
)


def run(
    spec: EvaluateSpec,
    *,
    detections: Annotated[Path, "detections.json, in ActivityNet's submission form"],
    labels: Annotated[Path, "labels.parquet of the last round"],
    annotations: Annotated[Path, "annotation file in ActivityNet's form"],
    out: Annotated[Path, "map.json to write"],
) -> None:
    database = read_annotations(annotations)
    test = {i: database[i] for i in sorted(ids_in(annotations, spec.test_subset))}
    if not any(a.instances for a in test.values()):
        raise UserError(f"{annotations}: subset '{spec.test_subset}' has no annotated action to score against")
    clusters = read_labels(labels)
    train = _named(database, clusters, spec.train_subset)
    if not train:
        raise UserError(
            f"{annotations}: no video of {labels.name} has an annotated action in subset '{spec.train_subset}', "
            "so no cluster can be named"
        )
    found = read_detections(detections)
    problem = pose(test, train, clusters, found)
    inputs = {
        "annotations": digest(annotations.read_text(encoding="utf-8")),
        "detections": read_json_record(detections).id,
        "labels": read_parquet_record(labels).id,
    }
    inside = [d for d in found if d.video_id in test]
    content = {
        **score(problem, spec.evaluation),
        "clusters": asdict(quality([clusters[i] for i in train], [main_class(a) for a in train.values()])),
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


def _named(database: dict[str, Annotation], clusters: dict[str, int], subset: str) -> dict[str, Annotation]:
    """The clustered training videos whose class is known."""
    known = {i: database[i] for i in sorted(clusters) if i in database}
    return {i: a for i, a in known.items() if a.subset == subset and a.instances}
