from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core import long_videos
from clip_ae.core.long_videos import split_rows


@given(st.integers(0, 1000), st.integers(1, 100))
def test_parts_cover_the_video_and_are_about_equal(length: int, max_part: int) -> None:
    with mock.patch.object(long_videos, "MAX_PART_ROWS", max_part):
        parts = split_rows(length)
    rows = list(range(length))
    assert [row for part in parts for row in rows[part]] == rows
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) <= max_part
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == max(1, -(-length // max_part))
