"""Read sentences and the moments that they describe, in the form of ActivityNet-Captions or Charades-STA.

Standard library only, like data/annotations.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.core.types import GroundingQuery
from clip_ae.data.json_values import load_json, parse_number, parse_segment, parse_text, read_text

Moment = tuple[float, float]
# (video id, sentence, moment)
SentenceMoment = tuple[str, str, Moment]


def read_sentences(path: Path) -> list[GroundingQuery]:
    """Return the queries by video id, then in file order. A .txt file has Charades-STA's lines, any other is JSON.

    If a file has the same sentence several times for a video, it is one query, and any of its moments is correct:
    no reader could decide which moment is meant. Published evaluations count it once for each moment, with that moment
    as the only correct one; in the published sets this is rare.
    """
    moments: dict[tuple[str, str], list[Moment]] = {}
    for video_id, text, moment in _read_lines(path) if path.suffix == ".txt" else _read_captions(path):
        moments.setdefault((video_id, text), []).append(moment)
    if not moments:
        raise UserError(
            f"{path}: contains no sentence; expected ActivityNet-Captions' JSON or Charades-STA's lines in .txt"
        )
    queries = [GroundingQuery(video_id, text, tuple(correct)) for (video_id, text), correct in moments.items()]
    return sorted(queries, key=lambda query: query.video_id)


def _read_captions(path: Path) -> Iterator[SentenceMoment]:
    data = load_json(path, "sentences")
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected videos by id, as in ActivityNet-Captions")
    for video_id, entry in data.items():
        for text, moment in _parse_entry(f"{path}: video '{video_id}'", entry):
            yield video_id, text, moment


def _parse_entry(where: str, entry: Any) -> Iterator[tuple[str, Moment]]:
    fields = entry if isinstance(entry, dict) else {}
    texts, moments, duration = (fields.get(key) for key in ("sentences", "timestamps", "duration"))
    if not isinstance(texts, list) or not isinstance(moments, list):
        raise UserError(f'{where}: has no lists of "timestamps" and "sentences"; expected ActivityNet-Captions\' form')
    if len(texts) != len(moments):
        raise UserError(f"{where}: has {len(moments)} timestamps for {len(texts)} sentences; each needs its own")
    # In published files some moments end a little after their video.
    end = math.inf if duration is None else parse_number(f"{where}: duration", duration)
    for i, (text, moment) in enumerate(zip(texts, moments, strict=True)):
        start, stop = parse_segment(f"{where}, sentence {i}", moment)
        yield _parse_sentence(f"{where}, sentence {i}", text), (min(start, end), min(stop, end))


def _read_lines(path: Path) -> Iterator[SentenceMoment]:
    """Parse lines of `VIDEO START STOP##SENTENCE`."""
    for number, line in enumerate(read_text(path, "sentences").splitlines(), start=1):
        where, (head, _, text) = f"{path}, line {number}", line.partition("##")
        fields = head.split()
        if len(fields) == 3:
            yield fields[0], _parse_sentence(where, text), parse_segment(where, fields[1:])
        elif line.strip():
            raise UserError(f"{where}: expected a video, a start, an end and a sentence, as in `AB12C 1.5 9.0##text`")


def _parse_sentence(where: str, value: Any) -> str:
    """Return the sentence in one line, without spaces before and after it."""
    return parse_text(where, "sentence", " ".join(value.split()) if isinstance(value, str) else value)
