"""Every snippet of a dataset in one file, which is mapped and not read."""

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

RECORD = Provenance("index", {"grid": {"fps": 25.0}}, "c0de")
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
def test_every_video_comes_back_whole_however_rows_are_cut(
    videos: list[VideoFeatures], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", block)
    write_index(tmp_path / "x.arrow", build_index(videos, RECORD))
    found = read_index(tmp_path / "x.arrow")
    assert (found.video_ids, found.provenance) == ([v.video_id for v in videos], RECORD)
    assert found.end_times.tolist() == [v.covered_end for v in videos]
    assert len(found.blocks) == {1: 5, 4: 4, 5: 3, 1000: 1}[block]
    for number, v in enumerate(videos):
        assert np.array_equal(found.rows_of(number), v.feature)
    mean = np.concatenate([v.feature for v in videos]).astype(np.float64).mean(axis=0)
    assert np.allclose(found.mean_feature, mean, atol=1e-6)


def test_a_video_across_two_blocks_is_put_together(videos: list[VideoFeatures]) -> None:
    whole = build_index(videos, RECORD)
    rows = np.concatenate(whole.blocks)
    cut = module.SnippetIndex(
        RECORD, whole.video_ids, whole.row_offsets, whole.end_times, whole.mean_feature, [rows[:6], rows[6:7], rows[7:]]
    )
    assert all(np.array_equal(cut.rows_of(n), v.feature) for n, v in enumerate(videos))


def test_what_has_no_material_is_not_searched() -> None:
    found = build_index([video("none", 3, (0, 0, 0)), video("some", 4, (1, 0, 0.5, 0))], RECORD)
    assert found.video_ids == ["some"]
    assert found.row_offsets.tolist() == [0, 3]
    assert found.end_times.tolist() == pytest.approx([2.5 * 0.64])
    seen = video("some", 4, (1, 0, 0.5, 0)).feature[[0, 2]].astype(np.float64)
    assert np.allclose(found.mean_feature, seen.mean(axis=0), atol=1e-6), "rows of nothing make no average"


def test_of_no_material_at_all_a_line_says_so() -> None:
    with pytest.raises(UserError, match="no video has any material to search in"):
        build_index([video("none", 3, (0, 0, 0))], RECORD)


def test_the_same_bytes_again_and_whoever_reads_arrow_reads_it(videos: list[VideoFeatures], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_index(tmp_path / f"{name}.arrow", build_index(videos, RECORD))
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()
    table = pa.ipc.open_file(tmp_path / "a.arrow").read_all()
    assert table["video"].to_pylist() == np.repeat(range(5), LENGTHS).tolist()
    assert read_provenance(tmp_path / "a.arrow") == RECORD


def test_a_mapped_index_takes_no_copy(videos: list[VideoFeatures], tmp_path: Path) -> None:
    write_index(tmp_path / "x.arrow", build_index(videos, RECORD))
    before = pa.total_allocated_bytes()
    found = read_index(tmp_path / "x.arrow")
    assert pa.total_allocated_bytes() == before
    assert not found.blocks[0].flags.owndata


def foreign(path: Path) -> None:
    """Arrow, and no index."""
    table = pa.table({"video": [1]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("how", ["cut", "empty", "text", "foreign", "missing"])
def test_a_broken_or_foreign_file_is_one_line(videos: list[VideoFeatures], tmp_path: Path, how: str) -> None:
    path = tmp_path / "x.arrow"
    write_index(path, build_index(videos, RECORD))
    whole = path.read_bytes()
    if how == "foreign":
        foreign(path)
    elif how == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"not an index"}[how])
    with pytest.raises(RefusedInput, match=r"x\.arrow: no index of this project .*make it again$") as caught:
        read_index(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(RefusedInput):
        read_provenance(path)
