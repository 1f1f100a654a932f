"""Share of the demo's pure clusters (above 0.8) that get their right names by the demo's CLIP and vocabulary.

snakemake --cores 2 results/demo_map.json, then python -m benchmarks.names [FOLDER with results/]
"""

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from clip_ae.core.config.specs import NameClustersSpec
from clip_ae.data.annotations import read_annotations
from clip_ae.data.detections import read_json_object
from clip_ae.data.labels import read_labels
from clip_ae.provenance.run_folder import TrainedRun
from clip_ae.scoring.eval_input import find_main_class
from clip_ae.stages import name_clusters
from clip_ae.worlds.trimmed import COLOURS

# The form of the captions that the demo's CLIP was trained on.
TEMPLATES = tuple(f"a {colour} {{}}" for colour in COLOURS)
VOCABULARY = Path("workflow/vocabularies/demo.txt")
MIN_PURITY = 0.8
RUN = "stpn_sparse"


def main(root: Path) -> None:
    dataset = root / "results/demo"
    shards = len(list((dataset / "features/clip").glob("*.parquet")))
    annotations = read_annotations(dataset / "world/annotations.json")
    num_right = num_pure = 0
    for seed in sorted((dataset / "runs" / RUN).glob("seed-*")):
        with TemporaryDirectory() as folder:
            out = Path(folder, "names.json")
            name_clusters.run(
                NameClustersSpec("clip", TEMPLATES),
                features=dataset / "features",
                shards=shards,
                curves=seed / "curves.parquet",
                clip_weights=root / "results/weights/demo_clip.safetensors",
                vocabulary=VOCABULARY,
                out=out,
                device="cpu",
            )
            names = read_json_object(out)["names"]
        labels = TrainedRun(seed).model_path.with_name("labels.parquet")
        for cluster, classes in sorted(count_classes(labels, annotations).items()):
            (main_class, count), total = classes.most_common(1)[0], classes.total()
            name = names[cluster][0]["name"] if cluster in names else "none"
            print(f"{seed.name} {cluster}: {count} of {total} {main_class}; named {name}")
            num_pure += count / total > MIN_PURITY
            num_right += count / total > MIN_PURITY and name == main_class
    print(f"{num_right} of {num_pure} clusters of purity above {MIN_PURITY} have the right name on top")


def count_classes(labels: Path, annotations: dict) -> dict[str, Counter[str]]:
    counts_by_cluster: dict[str, Counter[str]] = {}
    for label in read_labels(labels):
        counts_by_cluster.setdefault(label.label, Counter())[find_main_class(annotations[label.video_id])] += 1
    return counts_by_cluster


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]))
