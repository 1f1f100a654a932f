"""Sentences and the moments that they tell of, in ActivityNet-Captions' form or Charades-STA's, read strictly.

Standard library only, like io/annotations.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.core.types import GroundingQuery
from clip_ae.data.json_values import load_json, parse_name, parse_number, parse_segment, read_text

Moment = tuple[float, float]
# A video, a sentence of it, and a moment.
SentenceMoment = tuple[str, str, Moment]


def read_sentences(path: Path) -> list[GroundingQuery]:
    """By video id, then in the file's order; a .txt file holds Charades-STA's lines, any other is JSON.

    A sentence that a file gives of one video more than once is one query, and any of its moments is right: nobody
    who reads it could tell which is meant. Published figures count it as often as it is given, each time with one
    right moment; in the published sets it is rare.
    """
    moments: dict[tuple[str, str], list[Moment]] = {}
    for video_id, text, moment in _lines(path) if path.suffix == ".txt" else _videos(path):
        moments.setdefault((video_id, text), []).append(moment)
    if not moments:
        raise UserError(
            f"{path}: holds no sentence; expected ActivityNet-Captions' JSON or Charades-STA's lines in .txt"
        )
    queries = [GroundingQuery(video_id, text, tuple(found)) for (video_id, text), found in moments.items()]
    return sorted(queries, key=lambda query: query.video_id)


def _videos(path: Path) -> Iterator[SentenceMoment]:
    data = load_json(path, "sentences")
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected videos by id, as in ActivityNet-Captions")
    for video_id, entry in data.items():
        for text, moment in _sentences(f"{path}: video '{video_id}'", entry):
            yield video_id, text, moment


def _sentences(where: str, entry: Any) -> Iterator[tuple[str, Moment]]:
    held = entry if isinstance(entry, dict) else {}
    texts, moments, duration = (held.get(key) for key in ("sentences", "timestamps", "duration"))
    if not isinstance(texts, list) or not isinstance(moments, list):
        raise UserError(f'{where}: has no lists of "timestamps" and "sentences"; expected ActivityNet-Captions\' form')
    if len(texts) != len(moments):
        raise UserError(f"{where}: has {len(moments)} timestamps for {len(texts)} sentences; each needs its own")
    # Real files have moments that end a little after their video.
    end = math.inf if duration is None else parse_number(f"{where}: duration", duration)
    for i, (text, moment) in enumerate(zip(texts, moments, strict=True)):
        start, stop = parse_segment(f"{where}, sentence {i}", moment)
        yield _text(f"{where}, sentence {i}", text), (min(start, end), min(stop, end))


def _lines(path: Path) -> Iterator[SentenceMoment]:
    """`VIDEO START STOP##SENTENCE`."""
    for count, line in enumerate(read_text(path, "sentences").splitlines(), start=1):
        where, (head, _, text) = f"{path}, line {count}", line.partition("##")
        words = head.split()
        if len(words) == 3:
            yield words[0], _text(where, text), parse_segment(where, words[1:])
        elif line.strip():
            raise UserError(f"{where}: expected a video, a start, an end and a sentence, as in `AB12C 1.5 9.0##text`")


def _text(where: str, value: Any) -> str:
    """In one line, without the blanks that files have before and after."""
    return parse_name(where, "sentence", " ".join(value.split()) if isinstance(value, str) else value)
