"""Shards are read back as written, by this project and by pandas, polars and duckdb."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.sharding import assign_shard, format_shard_name
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data import shards
from clip_ae.provenance.read_provenance import read_provenance

PROVENANCE = Provenance("extract", {"grid": {"fps": 25.0}}, "c0de", {"probe": "1"}, {"torch": "2.11.0"})


def video(video_id: str, rows: int, dim: int = 8) -> VideoFeatures:
    times = np.arange(rows)
    grid = SnippetGrid()
    return VideoFeatures(
        video_id,
        times * grid.stride_s,
        times * grid.stride_s + grid.snippet_s,
        np.linspace(1, 0, rows, dtype=np.float32),
        np.random.default_rng(rows).normal(size=(rows, dim)).astype(np.float16),
    )


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "rgb" / "0000-of-0001.parquet"
    shards.write_shard(path, "rgb", 8, [video("a b/ü", 3), video("-x", 1), video("c", 40)], PROVENANCE)
    return path


def test_round_trip(shard: Path) -> None:
    read = list(shards.read_shard(shard))
    assert [v.video_id for v in read] == ["a b/ü", "-x", "c"]
    for got, rows in zip(read, (3, 1, 40), strict=True):
        expected = video(got.video_id, rows)
        for field in ("start", "stop", "coverage", "feature"):
            np.testing.assert_array_equal(getattr(got, field), getattr(expected, field))
            assert getattr(got, field).dtype == getattr(expected, field).dtype
    assert [v.video_id for v in shards.read_shard(shard, {"c"})] == ["c"]


def test_audio_shard_has_loudness_for_snippets_with_audio(tmp_path: Path) -> None:
    path = tmp_path / "audio" / "0000-of-0001.parquet"
    level = np.array([-20, np.nan, -96], np.float32)
    videos = [replace(video("a", 3), loudness=level), video("b", 2)]
    shards.write_shard(path, "noise", 8, videos, PROVENANCE, with_loudness=True)
    assert pq.read_schema(path).names == ["video_id", "snippet", "start", "stop", "coverage", "loudness", "feature"]
    assert shards.read_loudness(path) == {"a": [-20.0, None, -96.0]}
    loud, silent = shards.read_shard(path)
    np.testing.assert_array_equal(loud.loudness, level)
    assert silent.loudness is not None
    assert np.isnan(silent.loudness).all()


def test_shard_without_a_loudness_column(shard: Path) -> None:
    assert shards.read_loudness(shard) == {}


def test_columns_and_encoding(shard: Path) -> None:
    file = pq.ParquetFile(shard)
    assert file.num_row_groups == 3
    schema = file.schema_arrow
    assert schema.names == ["video_id", "snippet", "start", "stop", "coverage", "feature"]
    assert schema.field("feature").type == pa.fixed_shape_tensor(pa.float16(), [8])
    assert pa.types.is_dictionary(schema.field("video_id").type)
    for i in range(file.metadata.num_columns):
        column = file.metadata.row_group(0).column(i)
        assert column.compression == "ZSTD"
        assert column.statistics is None or column.statistics.null_count == 0
        dictionary = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"} & set(column.encodings)
        assert bool(dictionary) == (column.path_in_schema == "video_id")
    assert schema.metadata[b"stream"] == b"rgb"
    assert read_provenance(shard) == PROVENANCE


def test_pandas_polars_and_duckdb_read_it(shard: Path) -> None:
    feature = video("c", 40).feature
    frame = pd.read_parquet(shard)
    np.testing.assert_array_equal(np.stack(frame[frame.video_id == "c"].feature), feature)
    lazy = pl.read_parquet(shard).filter(pl.col("video_id") == "c")
    np.testing.assert_array_equal(np.array(lazy["feature"].to_list(), np.float16).reshape(40, 8), feature)
    rows = duckdb.sql(f"select feature from '{shard}' where video_id = 'c' order by snippet").fetchall()
    np.testing.assert_array_equal(np.array(rows, np.float16).reshape(40, 8), feature)


def test_empty_shard_is_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "clip" / "0000-of-0001.parquet"
    shards.write_shard(path, "clip", 4, [], PROVENANCE)
    assert list(shards.read_shard(path)) == []
    assert pd.read_parquet(path).shape == (0, 6)


def test_result_does_not_depend_on_the_sharding(tmp_path: Path) -> None:
    videos = [video(f"v{i}", i + 1) for i in range(9)]
    for count in (1, 4):
        for index in range(count):
            in_shard = [v for v in videos if assign_shard(v.video_id, count) == index]
            path = tmp_path / str(count) / "rgb" / f"{format_shard_name(index, count)}.parquet"
            shards.write_shard(path, "rgb", 8, in_shard, PROVENANCE)
    one, four = (shards.read_stream(tmp_path / str(n), "rgb", n) for n in (1, 4))
    assert list(one) == list(four) == [f"v{i}" for i in range(9)]


def test_missing_shard_is_named(tmp_path: Path, shard: Path) -> None:
    with pytest.raises(UserError, match=r"0001-of-0002.parquet: no such shard"):
        shards.write_shard(tmp_path / "rgb" / "0000-of-0002.parquet", "rgb", 8, [], PROVENANCE)
        shards.read_stream(tmp_path, "rgb", 2)


def test_missing_or_broken_shard_is_refused(tmp_path: Path, shard: Path) -> None:
    with pytest.raises(UserError, match="no such table"):
        list(shards.read_shard(tmp_path / "none.parquet"))
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(RefusedInput, match="not a table of this project"):
        list(shards.read_shard(shard))


def test_covered_end_includes_a_partly_covered_snippet() -> None:
    whole = video("a", 3)
    assert whole.covered_end == pytest.approx(whole.start[1] + 0.5 * 0.64)


def test_features_of_another_length_are_refused() -> None:
    good = video("a", 3)
    with pytest.raises(ValueError, match="3 snippets"):
        VideoFeatures("a", good.start, good.stop, good.coverage, good.feature[:2])


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shards.write_shard(tmp_path / f"{name}.parquet", "rgb", 8, [video("v", 5)], PROVENANCE)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
