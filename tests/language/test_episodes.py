import pytest

from clip_ae.core.errors import UserError
from clip_ae.core.types import Annotation, Instance
from clip_ae.language.episodes import check_episodes, sample_episode, select_query_videos
from clip_ae.language.spans import Span

POOL = {name: [Span(f"{name}{n}", n, n + 1) for n in range(6)] for name in "abcd"}
TEST = {
    "x": Annotation("test", (Instance("a", 0, 1), Instance("b", 2, 3))),
    "y": Annotation("test", (Instance("c", 0, 1), Instance("d", 0, 1))),
    "z": Annotation("test", ()),
}


def test_an_episode_is_the_same_again_and_another_number_is_another() -> None:
    first = [sample_episode(POOL, 2, 5, 0, number) for number in range(20)]
    assert first == [sample_episode(POOL, 2, 5, 0, number) for number in range(20)]
    assert len({episode.classes for episode in first}) == 6
    assert first[0] != sample_episode(POOL, 2, 5, 1, 0)


def test_fewer_examples_are_the_first_of_more() -> None:
    episode = sample_episode(POOL, 2, 5, 0, 3)
    one, five = episode.support_set(1), episode.support_set(5)
    assert [span.class_id for span in one] == [1, 2]
    assert set(one) < set(five)
    assert all(span.video_id[0] == episode.classes[span.class_id - 1] for span in five)
    assert len(set(five)) == 10


def test_videos_that_show_none_of_the_classes_are_not_searched_and_other_classes_are_not_asked_for() -> None:
    assert select_query_videos(TEST, ["b"]) == {"x": Annotation("test", (Instance("b", 2, 3),))}


def test_what_no_episode_could_do_is_told_before_any() -> None:
    check_episodes(POOL, TEST, 4, 6)
    for ways, shots, words in ((5, 1, "5 of 4 classes"), (2, 7, "'a' has 6 instances")):
        with pytest.raises(UserError, match=words):
            check_episodes(POOL, TEST, ways, shots)
    with pytest.raises(UserError, match="no test video shows 'd'"):
        check_episodes(POOL, {"x": TEST["x"], "y": Annotation("test", (Instance("c", 0, 1),))}, 2, 1)
