"""What a search on the page finds: for each text of a vocabulary the moments that look like it, and the box for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.core.types import Detection

MomentsByText = Mapping[str, Sequence[Detection]]
# Of all texts together, about 1 MB.
MAX_MOMENTS = 40_000


def pack_moments(moments: MomentsByText, video_ids: Sequence[str]) -> list[Any]:
    """[[text, [[place in videos, start, stop, score], ...the best first]], ...]; of videos that are not shown none."""
    place = {video_id: i for i, video_id in enumerate(video_ids)}
    keep = max(1, MAX_MOMENTS // max(1, len(moments)))
    return [[text, _best([m for m in listed if m.video_id in place], place, keep)] for text, listed in moments.items()]


def _best(moments: Sequence[Detection], place: Mapping[str, int], keep: int) -> list[list[float]]:
    best = sorted(moments, key=lambda m: -m.score)[:keep]
    return [[place[m.video_id], round(m.start, 1), round(m.stop, 1), float(f"{m.score:.3g}")] for m in best]


def render_search_box() -> str:
    """The script fills the list beneath with the texts that fit what is typed."""
    return (
        '<div class="suggest"><label>looks like <input id="wanted" type="search" role="combobox" aria-expanded="false" '
        'aria-controls="offered" aria-autocomplete="list" autocomplete="off" placeholder="a word of the vocabulary">'
        '</label><ul id="offered" role="listbox" aria-label="texts of the vocabulary" hidden></ul></div>'
        '<output id="matched" for="wanted" aria-live="polite"></output>'
    )


def render_search_legend() -> str:
    return '<span><i class="moment"></i>looks like what is searched, with a score</span>'
