"""Search on the page: the moments for each text of a vocabulary, and the search box."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.core.types import Detection

MomentsByText = Mapping[str, Sequence[Detection]]
# Limit for all texts together, about 1 MB.
MAX_MOMENTS = 40_000


def pack_moments(moments: MomentsByText, video_ids: Sequence[str]) -> list[Any]:
    """[[text, [[index in video_ids, start, stop, score], ... best first]], ...]; other videos are left out."""
    video_index = {video_id: i for i, video_id in enumerate(video_ids)}
    limit = max(1, MAX_MOMENTS // max(1, len(moments)))
    return [
        [text, _pack_best([m for m in text_moments if m.video_id in video_index], video_index, limit)]
        for text, text_moments in moments.items()
    ]


def _pack_best(moments: Sequence[Detection], video_index: Mapping[str, int], limit: int) -> list[list[float]]:
    best = sorted(moments, key=lambda m: -m.score)[:limit]
    return [[video_index[m.video_id], round(m.start, 1), round(m.stop, 1), float(f"{m.score:.3g}")] for m in best]


def render_search_box() -> str:
    """HTML of the search box; the script fills the list below it with the texts that match the input."""
    return (
        '<div class="suggest"><label>looks like <input id="search-text" type="search" role="combobox" '
        'aria-expanded="false" aria-controls="suggestions" aria-autocomplete="list" autocomplete="off" '
        'placeholder="a text of the vocabulary"></label>'
        '<ul id="suggestions" role="listbox" aria-label="texts of the vocabulary" hidden></ul></div>'
        '<output id="search-summary" for="search-text" aria-live="polite"></output>'
    )


def render_search_legend() -> str:
    return '<span><i class="moment"></i>looks like the searched text, with its score</span>'
