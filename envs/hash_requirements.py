"""Write envs/linux-x86_64-py311.txt: every pin of constraints.txt with the sha256 of its wheel.

python -m pip install --dry-run --ignore-installed --report report.json --constraint constraints.txt '.[dev]'
python envs/hash_requirements.py report.json

Then `pip install --no-deps --require-hashes -r envs/linux-x86_64-py311.txt` installs these files and no others.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("linux-x86_64-py311.txt")
HEADER = """# Wheels for Python 3.11 on Linux x86_64, with their hashes: made by envs/hash_requirements.py.
# pip install --no-deps --require-hashes -r envs/linux-x86_64-py311.txt && pip install --no-deps --editable .
"""


def main(report: Path) -> None:
    items = json.loads(report.read_text(encoding="utf-8"))["install"]
    lines = sorted(format_requirement(item) for item in items if item["metadata"]["name"] != "clip-ae")
    TARGET.write_text(HEADER + "".join(lines), encoding="utf-8")


def format_requirement(item: dict[str, Any]) -> str:
    name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
    digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{name}=={item['metadata']['version']} --hash=sha256:{digest}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
