"""`make bench`: every figure that docs/results.md keeps, measured anew. One line a figure.

python -m benchmarks            what needs no installation: minutes
python -m benchmarks --cold     a fresh clone, installed and run: needs the package registry
"""

import sys

from benchmarks import cold, workflow

if __name__ == "__main__":
    workflow.main()
    if "--cold" in sys.argv[1:]:
        cold.main()
