import pytest

from clip_ae.data.layouts.orientation import Orientation, find_orientation


@pytest.mark.parametrize(
    ("shapes", "width", "is_transposed"),
    [
        ([], 0, False),
        ([(300, 2048)], 2048, False),
        ([(5, 8), (6, 8), (7, 8)], 8, False),
        ([(8, 5), (8, 6), (8, 7)], 8, True),
        # All of one length: [T, D] is the rule.
        ([(8, 5), (8, 5), (8, 5)], 5, False),
        # Half and half: no axis is shared by most.
        ([(5, 8), (6, 8), (8, 9), (8, 10)], 8, False),
        ([(5, 8), (6, 9), (7, 9)], 9, False),
        # Two share their rows by chance.
        ([(6, 8), (6, 10)], 8, False),
    ],
)
def test_the_shared_axis_is_the_feature(shapes: list[tuple[int, int]], width: int, is_transposed: bool) -> None:
    assert find_orientation(shapes) == Orientation(width, is_transposed)
