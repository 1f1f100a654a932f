"""Values of other people's JSON files, read strictly."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from clip_ae.core.config.dataclass_config import abbreviate
from clip_ae.core.errors import UserError


def read_text(path: Path, description: str) -> str:
    """A text file, whatever byte-order mark it begins with; `what` says what it should hold."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot read the {description} ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: cannot read the {description}, as it is not UTF-8 text; save it as such") from None


def load_json(path: Path, description: str) -> Any:
    """A JSON file in which no object has a key twice."""
    text = read_text(path, description)
    try:
        data = json.loads(text, object_pairs_hook=_unique)
        # Escapes can spell half of a character, which nothing of ours could write again.
        if "\\ud" in text.lower():
            json.dumps(data, ensure_ascii=False).encode()
        return data
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None


def parse_number(where: str, value: Any) -> float:
    """A finite number; some releases write numbers as text."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str) or "_" in str(value):
            raise ValueError
        found = float(value)
    except (ValueError, OverflowError):
        raise UserError(f"{where}: {abbreviate(value)} is not a number") from None
    if not math.isfinite(found):
        raise UserError(f"{where}: {value} is not a finite number")
    return found


def parse_segment(where: str, value: Any) -> tuple[float, float]:
    """[start, end], in that order."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UserError(f"{where}: segment {abbreviate(value)} is not [start, end]")
    start, stop = (parse_number(f"{where}: segment", end) for end in value)
    if stop < start:
        raise UserError(f"{where}: segment ends at {stop:g} s, before its start at {start:g} s")
    return start, stop


def parse_name(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UserError(f'{where}: has no "{key}"')
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two equal keys Python keeps the last and says nothing."""
    found = dict(pairs)
    if len(found) < len(pairs):
        (key, count), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise UserError(f"the key '{key}' stands {count} times in one object; keep one")
    return found
