"""Shards are stable, file names are safe."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.errors import UserError
from clip_ae.core.sharding import assign_shard, encode_file_name, format_shard_name, list_shard_names, parse_shard_name


@given(st.text(min_size=1), st.integers(1, 300))
def test_a_video_has_one_shard(video_id: str, shards: int) -> None:
    assert 0 <= assign_shard(video_id, shards) < shards


def test_shards_do_not_move() -> None:
    # Pinned: a change here would move every video of every dataset to another shard.
    assert [assign_shard(v, 16) for v in ("video_validation_0000051", "v_GGSY1Qvo990", "demo_train_000")] == [11, 9, 7]


@given(st.integers(1, 9999), st.data())
def test_shard_names_can_be_read(shards: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, shards - 1))
    assert parse_shard_name(format_shard_name(index, shards)) == (index, shards)
    assert len(set(list_shard_names(5))) == 5


@pytest.mark.parametrize("name", ["foo", "1-of-", "1 of 2", "-1-of-2", "٠٠٠٠-of-٠٠٠١"])
def test_invalid_shard_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="expected a name like 0003-of-0008"):
        parse_shard_name(name)


@pytest.mark.parametrize("name", ["0005-of-0002", "0002-of-0002", "0000-of-0000"])
def test_a_shard_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="there is no such shard"):
        parse_shard_name(name)


@given(st.text(min_size=1), st.text(min_size=1))
def test_file_names_are_safe_and_differ(a: str, b: str) -> None:
    name = encode_file_name(a)
    assert os.sep not in name
    assert "\0" not in name
    assert name[0] not in ".-"
    assert (encode_file_name(b) == name) == (a == b)


@pytest.mark.parametrize("count", [0, -1, 10**11])
def test_a_number_of_shards_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(UserError, match=rf"--shards {count}: expected 1 to 1,000,000"):
        list_shard_names(count)
