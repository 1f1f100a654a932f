"""`make bench`: measure the numbers of docs/results.md again. One line per number.

python -m benchmarks            everything that needs no installation: minutes; includes .features, .flow and .scoring
python -m benchmarks.workflow   Snakemake alone: a minute
python -m benchmarks.search     search a sentence in ten thousand videos: 1.9 GB on disk, a minute
python -m benchmarks.layouts    import a data set in each layout of feature files: 3 GB on disk, a few minutes
python -m benchmarks.scale      a million detections, a page of 20,000 videos, 20,000 descriptors: a few minutes
python -m benchmarks.page       the page with 500 and 5,000 videos in a browser
python -m benchmarks --long     feature extraction from an hour of 1080p: half an hour
python -m benchmarks --cold     install and run a fresh clone: needs the package registry
python -m benchmarks.worlds     all methods on five simulated worlds (`make bench-methods`): hours
python -m benchmarks.world_scores   the tables of docs/results.md from the scores in docs/measured/: a second
python -m benchmarks.streams    every method on other streams than rgb and flow: an hour and a half
python -m benchmarks.charades   the settings of `charades`, on training videos that are held out: an hour
python -m benchmarks.sounds     scores by the kind of sound of a class, on the same results
python -m benchmarks.head_input effect of each part of CAF and CCP on attention, on the same results
python -m benchmarks.step       one training step at the paper's size
python -m benchmarks.frame_encoders   networks of open_clip, timm and torchvision, from file to features
python -m benchmarks.gpu        everything that needs a GPU; .step and .methods --paper also use one
"""

import sys

from benchmarks import cold, features, flow, long, scoring, workflow

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if unknown := set(arguments) - {"--long", "--cold"}:
        raise SystemExit(f"{', '.join(sorted(unknown))}: expected --long or --cold")
    workflow.main()
    scoring.main()
    features.main()
    flow.main()
    if "--long" in arguments:
        long.main()
    if "--cold" in arguments:
        cold.main()
