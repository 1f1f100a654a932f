import json
from pathlib import Path

import pytest

from clip_ae.core.errors import UserError
from clip_ae.core.types import Instance
from clip_ae.data.fewshot_examples import SupportExample, read_support_examples, support_digest


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def write_segments(path: Path, **spans_by_video: list[tuple[str, float, float]]) -> Path:
    database = {
        i: {"subset": "few", "annotations": [{"label": name, "segment": span} for name, *span in spans]}
        for i, spans in spans_by_video.items()
    }
    path.write_text(json.dumps({"database": database}))
    return path


def test_clips_have_the_class_of_their_folder_at_any_depth(tmp_path: Path) -> None:
    first, second = touch(tmp_path / "throw/deep/a.mp4"), touch(tmp_path / "catch/a.mp4")
    touch(tmp_path / ".hidden/b.mp4")
    touch(tmp_path / "notes.txt")
    assert read_support_examples(tmp_path, tmp_path) == [
        SupportExample("catch", second),
        SupportExample("throw", first),
    ]


def test_segments_name_videos_of_a_folder(tmp_path: Path) -> None:
    video = touch(tmp_path / "videos/sub/v.mp4")
    few = write_segments(tmp_path / "few.json", v=[("throw", 3, 4), ("catch", 1, 2)], other=[])
    assert read_support_examples(few, tmp_path / "videos") == [
        SupportExample("catch", video, Instance("catch", 1, 2)),
        SupportExample("throw", video, Instance("throw", 3, 4)),
    ]


def test_support_digest_changes_with_the_examples(tmp_path: Path) -> None:
    touch(tmp_path / "throw/a.mp4")
    before = support_digest(tmp_path, read_support_examples(tmp_path, tmp_path))
    assert before == support_digest(tmp_path, read_support_examples(tmp_path, tmp_path))
    touch(tmp_path / "throw/b.mp4")
    assert before != support_digest(tmp_path, read_support_examples(tmp_path, tmp_path))


def test_mistakes_are_refused_with_a_reason(tmp_path: Path) -> None:
    def error_of(support: Path) -> str:
        with pytest.raises(UserError) as error:
            read_support_examples(support, tmp_path / "videos")
        return str(error.value)

    touch(tmp_path / "videos/v.mp4")
    assert "no such folder or file" in error_of(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "no classes there; expected one folder of clips for each class" in error_of(tmp_path / "empty")
    touch(tmp_path / "some/throw/a.mp4")
    (tmp_path / "some/catch").mkdir()
    assert "catch: no videos there" in error_of(tmp_path / "some")
    touch(tmp_path / "twice/throw/a.mp4")
    touch(tmp_path / "twice/Throw /b.mp4")
    assert "'Throw ' and 'throw' differ only in capitals and spaces" in error_of(tmp_path / "twice")
    few = write_segments(tmp_path / "few.json", w=[("throw", 0, 1)])
    assert f"video 'w' is not in {tmp_path / 'videos'}" in error_of(few)
    assert "no classes there" in error_of(write_segments(tmp_path / "none.json", v=[]))
