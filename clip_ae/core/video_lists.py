"""Lists of THUMOS14's test videos: publications use 213, 212, 211 or 210 of the annotated ones."""

from collections.abc import Collection

from clip_ae.core.errors import UserError, suggest_name

ONLY_AMBIGUOUS, SEGMENTS_BEYOND_END, WRONG_ANNOTATION = (f"video_test_{number:07d}" for number in (1292, 270, 1496))
# Excluded videos, by the number that remains. 1292 has no segment of a class, 29 segments of 270 are after its end,
# and the annotation of 1496 is wrong.
VIDEO_LISTS: dict[str, frozenset[str]] = {
    "213": frozenset(),
    "212": frozenset({ONLY_AMBIGUOUS}),
    "211": frozenset({ONLY_AMBIGUOUS, SEGMENTS_BEYOND_END}),
    "210": frozenset({ONLY_AMBIGUOUS, SEGMENTS_BEYOND_END, WRONG_ANNOTATION}),
}


def select_listed_videos(list_name: str, video_ids: Collection[str], where: str) -> list[str]:
    """The videos of a subset that a list includes; refused if their number is not the list's."""
    if list_name not in VIDEO_LISTS:
        raise UserError(f"--video-list {list_name}: no such list, and no file{suggest_name(list_name, VIDEO_LISTS)}")
    listed = sorted(set(video_ids) - VIDEO_LISTS[list_name])
    if len(listed) != int(list_name):
        raise UserError(
            f"{where}: the list {list_name} leaves {len(listed)} of its {len(video_ids)} videos; choose another list"
        )
    return listed
