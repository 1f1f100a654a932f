"""The snippet index: all snippets of a dataset in one file, which is mapped and not read."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import VideoFeatures
from clip_ae.data import snippet_index as module
from clip_ae.data.snippet_index import build_index, read_index, write_index
from clip_ae.provenance.read_provenance import read_provenance

PROVENANCE = Provenance("index", {"grid": {"fps": 25.0}}, "c0de")
LENGTHS = (3, 1, 7, 5, 2)


def video(name: str, rows: int, coverage: tuple[float, ...] | None = None) -> VideoFeatures:
    times = np.arange(rows) * 0.64
    covered = np.ones(rows, np.float32) if coverage is None else np.array(coverage, np.float32)
    feature = np.random.default_rng(rows).standard_normal((rows, 4)).astype(np.float16)
    feature[covered <= 0] = 0
    return VideoFeatures(name, times, times + 0.64, covered, feature)


@pytest.fixture
def videos() -> list[VideoFeatures]:
    return [video(f"v{n}", rows) for n, rows in enumerate(LENGTHS)]


@pytest.mark.parametrize("block", [1, 4, 5, 1000])
def test_videos_are_read_back_for_any_block_size(
    videos: list[VideoFeatures], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", block)
    write_index(tmp_path / "x.arrow", build_index(videos, PROVENANCE))
    index = read_index(tmp_path / "x.arrow")
    assert (index.video_ids, index.provenance) == ([v.video_id for v in videos], PROVENANCE)
    assert index.end_times.tolist() == [v.covered_end for v in videos]
    assert len(index.blocks) == {1: 5, 4: 4, 5: 3, 1000: 1}[block]
    for number, v in enumerate(videos):
        assert np.array_equal(index.rows_of(number), v.feature)
    mean = np.concatenate([v.feature for v in videos]).astype(np.float64).mean(axis=0)
    assert np.allclose(index.mean_feature, mean, atol=1e-6)


def test_rows_of_a_video_across_blocks_are_concatenated(videos: list[VideoFeatures]) -> None:
    whole = build_index(videos, PROVENANCE)
    rows = np.concatenate(whole.blocks)
    cut = module.SnippetIndex(
        PROVENANCE,
        whole.video_ids,
        whole.row_offsets,
        whole.end_times,
        whole.mean_feature,
        [rows[:6], rows[6:7], rows[7:]],
    )
    assert all(np.array_equal(cut.rows_of(n), v.feature) for n, v in enumerate(videos))


def test_videos_without_coverage_are_left_out() -> None:
    index = build_index([video("none", 3, (0, 0, 0)), video("some", 4, (1, 0, 0.5, 0))], PROVENANCE)
    assert index.video_ids == ["some"]
    assert index.row_offsets.tolist() == [0, 3]
    assert index.end_times.tolist() == pytest.approx([2.5 * 0.64])
    covered = video("some", 4, (1, 0, 0.5, 0)).feature[[0, 2]].astype(np.float64)
    assert np.allclose(index.mean_feature, covered.mean(axis=0), atol=1e-6), (
        "rows without coverage do not count in the mean"
    )


def test_no_coverage_in_any_video_is_refused() -> None:
    with pytest.raises(UserError, match="no video has any material to search in"):
        build_index([video("none", 3, (0, 0, 0))], PROVENANCE)


def test_equal_input_gives_equal_bytes_that_any_arrow_reader_reads(videos: list[VideoFeatures], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_index(tmp_path / f"{name}.arrow", build_index(videos, PROVENANCE))
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()
    table = pa.ipc.open_file(tmp_path / "a.arrow").read_all()
    assert table["video"].to_pylist() == np.repeat(range(5), LENGTHS).tolist()
    assert read_provenance(tmp_path / "a.arrow") == PROVENANCE


def test_reading_an_index_copies_nothing(videos: list[VideoFeatures], tmp_path: Path) -> None:
    write_index(tmp_path / "x.arrow", build_index(videos, PROVENANCE))
    before = pa.total_allocated_bytes()
    index = read_index(tmp_path / "x.arrow")
    assert pa.total_allocated_bytes() == before
    assert not index.blocks[0].flags.owndata


def write_foreign(path: Path) -> None:
    """Write an Arrow file that is not an index."""
    table = pa.table({"video": [1]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "foreign", "missing"])
def test_broken_or_foreign_file_is_refused(videos: list[VideoFeatures], tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.arrow"
    write_index(path, build_index(videos, PROVENANCE))
    whole = path.read_bytes()
    if damage == "foreign":
        write_foreign(path)
    elif damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"not an index"}[damage])
    with pytest.raises(RefusedInput, match=r"x\.arrow: no index of this project .*make it again$") as caught:
        read_index(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(RefusedInput):
        read_provenance(path)
