"""`make bench`: every figure that docs/results.md keeps, measured anew. One line a figure.

python -m benchmarks            what needs no installation: minutes; .features, .flow and .scoring are parts of it
python -m benchmarks.search     a sentence in ten thousand videos: 1.9 GB on disk, a minute
python -m benchmarks.page       the page with 500 videos in a browser
python -m benchmarks --long     an hour of 1080p through the line: half an hour
python -m benchmarks --cold     a fresh clone, installed and run: needs the package registry
python -m benchmarks.methods    every method on the simulated benchmark (`make bench-methods`): up to three hours
python -m benchmarks.sounds     what a class's sound does to its score there
python -m benchmarks.head_input        what CAF and CCP feed the head there
python -m benchmarks.step       one training step at the paper's size
python -m benchmarks.gpu        what needs a GPU; .step and .methods --paper use one too
"""

import sys

from benchmarks import cold, features, flow, long, scoring, workflow

if __name__ == "__main__":
    words = sys.argv[1:]
    workflow.main()
    scoring.main()
    features.main()
    flow.main()
    if "--long" in words:
        long.main()
    if "--cold" in words:
        cold.main()
