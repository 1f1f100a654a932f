"""The demo's files: exactly the planned videos, the same bytes for any number of workers, and the special videos."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from multiprocessing.pool import Pool

import av
import numpy as np
import pytest

from clip_ae.core.config.schema import DemoWorld
from clip_ae.core.config.specs import MakeDemoSpec
from clip_ae.core.files import remove_listed_files
from clip_ae.core.sharding import list_demo_subsets
from clip_ae.data.sentences import read_sentences
from clip_ae.stages import make_demo
from clip_ae.worlds import untrimmed

TINY = MakeDemoSpec(DemoWorld(seed=4, train_videos=5, test_videos=2, seconds_min=4, seconds_max=5))


def make(folder, num_workers):
    files = {name: folder / f"{name}.json" for name in ("annotations", "sentences", "manifest")}
    make_demo.run(TINY, videos=folder / "videos", **files, num_workers=num_workers)
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    (folder / "videos").mkdir()
    (folder / "videos" / "of_another_plan.mp4").write_bytes(b"old")
    (folder / "manifest.json").write_text('{"videos": {"of_another_plan.mp4": "sha256"}}')
    return make(folder, num_workers=2)


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_files_are_the_plan_and_nothing_else(demo):
    names = {f"{video_id}.mp4" for video_id in list_demo_subsets(TINY.world.train_videos, TINY.world.test_videos)}
    assert {p.name for p in (demo / "videos").iterdir()} == names
    manifest = json.loads((demo / "manifest.json").read_text())
    assert manifest["provenance"]["stage"] == "make_demo"
    for name in names:
        assert manifest["videos"][name] == hashlib.sha256((demo / "videos" / name).read_bytes()).hexdigest()
    plans = untrimmed.plan_videos(TINY.world)
    assert json.loads((demo / "annotations.json").read_text()) == untrimmed.build_annotations(plans)
    assert json.loads((demo / "sentences.json").read_text()) == untrimmed.build_sentences(plans)


@pytest.mark.parametrize("manifest", [None, "no JSON", "[]", '{"videos": {"../mine.mp4": "", "x.mp4": ""}}'])
def test_files_that_no_manifest_lists_stay(manifest, tmp_path):
    """A folder of a user's own videos, named by mistake."""
    (tmp_path / "videos").mkdir()
    for path in ("videos/wedding.mp4", "mine.mp4"):
        (tmp_path / path).write_bytes(b"mine")
    if manifest:
        (tmp_path / "manifest.json").write_text(manifest)
    remove_listed_files(tmp_path / "manifest.json", "videos", tmp_path / "videos")
    assert (tmp_path / "videos/wedding.mp4").read_bytes() == (tmp_path / "mine.mp4").read_bytes() == b"mine"


def test_sentences_are_read_back_as_generated(demo):
    queries = read_sentences(demo / "sentences.json")
    moments = {(v.video_id, (i.start, i.stop)) for v in untrimmed.plan_videos(TINY.world) for i in v.instances}
    assert {(q.video_id, moment) for q in queries for moment in q.moments} == moments


def test_same_bytes_with_one_worker(demo, tmp_path):
    assert content(make(tmp_path, num_workers=1)) == content(demo)


@pytest.mark.parametrize("video", untrimmed.plan_videos(TINY.world), ids=lambda v: v.video_id)
def test_files_are_as_planned(demo, video):
    with av.open(demo / "videos" / f"{video.video_id}.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == video.size
        assert [a.codec_context.channels for a in container.streams.audio] == [video.channels][: video.channels]
        times = [float(f.pts * f.time_base) for f in container.decode(stream)]
    assert times == pytest.approx(video.timestamps, abs=1e-4)


def test_drawing_survives_the_codec(demo):
    video = untrimmed.plan_videos(TINY.world)[0]
    with av.open(demo / "videos" / f"{video.video_id}.mp4") as container:
        decoded = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    drawn = list(untrimmed.render_frames(video))
    assert np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(decoded, drawn, strict=True)]) < 6


def test_workers_that_are_done_leave_by_themselves(tmp_path, monkeypatch):
    left = []
    monkeypatch.setattr(Pool, "terminate", lambda pool: left.extend(worker.exitcode for worker in pool._pool))
    make(tmp_path, num_workers=2)
    assert left == [0, 0]


def test_ctrl_c_leaves_no_half_written_file(tmp_path):
    script = tmp_path / "long_demo.py"
    script.write_text(
        "from pathlib import Path\n"
        "from clip_ae.core.config.specs import MakeDemoSpec\n"
        "from clip_ae.stages import make_demo\n"
        "if __name__ == '__main__':\n"
        "    here = Path(__file__).parent\n"
        "    files = {name: here / name for name in ('annotations', 'sentences', 'manifest')}\n"
        "    make_demo.run(MakeDemoSpec(), videos=here / 'v', **files)\n"
    )
    process = subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, start_new_session=True)
    # On a busy machine the first video may take its time.
    deadline = time.monotonic() + 180
    while not list((tmp_path / "v").glob("demo_*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    left = list((tmp_path / "v").iterdir())
    assert left
    assert not (tmp_path / "manifest").exists()
    for path in left:
        assert path.name.startswith("demo_"), path
        with av.open(path) as container:
            assert sum(1 for _ in container.decode(video=0)) > 300
