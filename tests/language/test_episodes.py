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


def test_an_episode_depends_on_its_seed_and_index_only() -> None:
    sampled = [sample_episode(POOL, 2, 5, 0, index) for index in range(20)]
    assert sampled == [sample_episode(POOL, 2, 5, 0, index) for index in range(20)]
    assert len({episode.classes for episode in sampled}) == 6
    assert sampled[0] != sample_episode(POOL, 2, 5, 1, 0)


def test_fewer_shots_are_the_first_of_more_shots() -> None:
    episode = sample_episode(POOL, 2, 5, 0, 3)
    one, five = episode.support_set(1), episode.support_set(5)
    assert [span.class_id for span in one] == [1, 2]
    assert set(one) < set(five)
    assert all(span.video_id[0] == episode.classes[span.class_id - 1] for span in five)
    assert len(set(five)) == 10


def test_query_videos_show_a_class_of_the_episode_and_have_instances_of_these_classes_only() -> None:
    assert select_query_videos(TEST, ["b"]) == {"x": Annotation("test", (Instance("b", 2, 3),))}


def test_impossible_episodes_are_an_error() -> None:
    check_episodes(POOL, TEST, 4, 6)
    for ways, shots, message in ((5, 1, "5, but only 4 classes"), (2, 7, "'a' has 6 instances")):
        with pytest.raises(UserError, match=message):
            check_episodes(POOL, TEST, ways, shots)
    with pytest.raises(UserError, match="no test video shows 'd'"):
        check_episodes(POOL, {"x": TEST["x"], "y": Annotation("test", (Instance("c", 0, 1),))}, 2, 1)
