"""Draw the demo dataset: untrimmed videos, their annotations and sentences of them."""

import hashlib
import json
import multiprocessing
import signal
import sys
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.specs import MakeDemoSpec
from clip_ae.core.files import report_disk_errors, write_text
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.sharding import encode_file_name
from clip_ae.media.mux import write_mp4
from clip_ae.worlds import untrimmed
from clip_ae.worlds.sounds import SAMPLE_RATE


def run(
    spec: MakeDemoSpec,
    *,
    videos: Annotated[Path, "folder for the videos"],
    annotations: Annotated[Path, "ActivityNet-form JSON to write"],
    sentences: Annotated[Path, "ActivityNet-Captions-form JSON to write"],
    manifest: Annotated[Path, "JSON to write last: every video's sha256"],
    num_workers: Annotated[int, "processes that draw"] = 2,
) -> None:
    plans = untrimmed.plan_videos(spec.world)
    paths = {p.video_id: videos / f"{encode_file_name(p.video_id)}.mp4" for p in plans}
    with report_disk_errors(manifest):
        manifest.unlink(missing_ok=True)
        _clear(videos, set(paths.values()))
    jobs = [(p, paths[p.video_id]) for p in plans]
    # Spawned, not forked: a fork copies the locks of whatever threads the caller has.
    with multiprocessing.get_context("spawn").Pool(num_workers, _obey_parent) as pool:
        digests = dict(track(pool.imap_unordered(_render, jobs), "drawing", len(jobs), "video"))
        # Workers that are done leave by themselves: a signal can reach one just before it sleeps on a lock, for ever.
        pool.close()
        pool.join()
    write_text(annotations, _json(untrimmed.build_annotations(plans)))
    write_text(sentences, _json(untrimmed.build_sentences(plans)))
    record = make_provenance("make_demo", spec, libraries=("av", "numpy", "opencv-contrib-python-headless"))
    write_text(manifest, _json({"videos": digests, "provenance": to_plain_data(record)}))


def _render(job: tuple[untrimmed.VideoPlan, Path]) -> tuple[str, str]:
    """Write one video; its file name and sha256."""
    video, path = job
    write_mp4(
        path,
        untrimmed.render_frames(video),
        video.size,
        video.fps_or_times,
        untrimmed.render_audio(video),
        sample_rate=SAMPLE_RATE,
    )
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


def _obey_parent() -> None:
    """Ctrl-C reaches the parent alone, which ends its workers; they leave through their clean-up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _clear(folder: Path, wanted: set[Path]) -> None:
    """Remove videos that another plan left."""
    for path in folder.glob("*.mp4"):
        if path not in wanted:
            path.unlink()


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
