"""Whether the demo's clusters get their right names: those of purity above 0.8, by the demo's CLIP and vocabulary.

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
from clip_ae.scoring.evaluate import find_main_class
from clip_ae.stages import name_clusters
from clip_ae.worlds.trimmed import COLOURS

# As in the captions that the demo's CLIP was trained on.
TEMPLATES = tuple(f"a {colour} {{}}" for colour in COLOURS)
VOCABULARY = Path("workflow/vocabularies/demo.txt")
PURE = 0.8
RUN = "stpn_sparse"


def main(root: Path) -> None:
    dataset = root / "results/demo"
    shards = len(list((dataset / "features/clip").glob("*.parquet")))
    truth = read_annotations(dataset / "world/annotations.json")
    right = pure = 0
    for seed in sorted((dataset / "runs" / RUN).glob("seed-*")):
        with TemporaryDirectory() as folder:
            out = Path(folder, "names.json")
            name_clusters.run(
                NameClustersSpec(TEMPLATES),
                features=dataset / "features",
                shards=shards,
                curves=seed / "curves.parquet",
                clip_weights=root / "results/weights/demo_clip.safetensors",
                vocabulary=VOCABULARY,
                out=out,
                device="cpu",
            )
            names = read_json_object(out)["names"]
        last = sorted(seed.glob("round-*/labels.parquet"))[-1]
        for cluster, classes in sorted(classes_of(last, truth).items()):
            (most, count), total = classes.most_common(1)[0], classes.total()
            guess = names[cluster][0]["name"] if cluster in names else "none"
            print(f"{seed.name} {cluster}: {count} of {total} {most}; named {guess}")
            pure += count / total > PURE
            right += count / total > PURE and guess == most
    print(f"{right} of {pure} clusters of purity above {PURE} have the right name on top")


def classes_of(labels: Path, truth: dict) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for label in read_labels(labels):
        found.setdefault(label.label, Counter())[find_main_class(truth[label.video_id])] += 1
    return found


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]))
