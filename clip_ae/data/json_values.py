"""Read text, JSON files and their values from other sources, with strict checks."""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from clip_ae.core.config.dataclass_config import abbreviate
from clip_ae.core.errors import UserError
from clip_ae.core.files import refuse_special_file

SURROGATE = re.compile(r"\\u[dD]")
# Longer names are a mistake, and would fill tables and pages.
MAX_NAME = 1000
# Longer times, about 30 years, are a mistake, and their differences could overflow.
MAX_SECONDS = 1e9


def read_text(path: Path, description: str) -> str:
    """Return the content of a UTF-8 file, with or without a byte-order mark; `description` names it in errors."""
    refuse_special_file(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot read the {description} ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: cannot read the {description}: not UTF-8 text; save it as UTF-8") from None


def load_json(path: Path, description: str) -> Any:
    """Return the content of a JSON file; UserError if an object has a key twice."""
    text = read_text(path, description)
    try:
        data = json.loads(text, object_pairs_hook=_make_unique_dict)
        # Escapes can write half of a surrogate pair, which could not be written to any of our files.
        if SURROGATE.search(text):
            json.dumps(data, ensure_ascii=False).encode()
        return data
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None


def parse_number(where: str, value: Any) -> float:
    """Return a finite number; text is accepted, because some releases write numbers as text."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str) or "_" in str(value):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise UserError(f"{where}: {abbreviate(value)} is not a number") from None
    if not math.isfinite(number):
        raise UserError(f"{where}: {value} is not a finite number")
    return number


def parse_seconds(where: str, value: Any) -> float:
    """Return a time that a video can have."""
    seconds = parse_number(where, value)
    if abs(seconds) > MAX_SECONDS:
        raise UserError(f"{where}: {seconds:g} s is longer than any video")
    return seconds


def parse_segment(where: str, value: Any) -> tuple[float, float]:
    """Return (start, end) in seconds; UserError if the end is before the start."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UserError(f"{where}: segment {abbreviate(value)} is not [start, end]")
    start, stop = (parse_seconds(f"{where}: segment", end) for end in value)
    if stop < start:
        raise UserError(f"{where}: segment ends at {stop:g} s, before its start at {start:g} s")
    return start, stop


def parse_name(where: str, key: str, value: Any) -> str:
    """Return a text that is not empty, and no longer than a name may be."""
    name = parse_text(where, key, value)
    if len(name) > MAX_NAME:
        raise UserError(f'{where}: "{key}" has {len(name):,} characters; use at most {MAX_NAME:,}')
    return name


def parse_text(where: str, key: str, value: Any) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise UserError(f'{where}: has no "{key}"')
    return value


def _make_unique_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that appears twice: Python would silently use the last one."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        (key, count), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise UserError(f"the key '{key}' appears {count} times in one object; keep one")
    return unique
