"""Generate the demo dataset: untrimmed videos, their annotations and sentences that describe them."""

import json
import multiprocessing
import signal
import sys
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.specs import MakeDemoSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import remove_listed_files, report_disk_errors, write_text
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.sharding import encode_file_name
from clip_ae.media.mux import write_mp4
from clip_ae.weights.integrity import file_digest
from clip_ae.worlds import untrimmed
from clip_ae.worlds.sounds import SAMPLE_RATE


def run(
    spec: MakeDemoSpec,
    *,
    videos: Annotated[Path, "folder to write the videos to"],
    annotations: Annotated[Path, "annotations to write (JSON, ActivityNet format)"],
    sentences: Annotated[Path, "sentences to write (JSON, ActivityNet Captions format)"],
    manifest: Annotated[Path, "JSON file to write last: sha256 of every video"],
    num_workers: Annotated[int, "processes that draw videos in parallel"] = 2,
) -> None:
    if num_workers < 1:
        raise UserError(f"--num-workers {num_workers}: expected at least 1")
    plans = untrimmed.plan_videos(spec.world)
    paths = {p.video_id: videos / f"{encode_file_name(p.video_id)}.mp4" for p in plans}
    with report_disk_errors(manifest):
        remove_listed_files(manifest, "videos", videos)
    jobs = [(p, paths[p.video_id]) for p in plans]
    # Spawn, not fork: a fork copies locks that threads of the caller may hold.
    with multiprocessing.get_context("spawn").Pool(num_workers, _leave_signals_to_parent) as pool:
        digests = dict(track(pool.imap_unordered(_render, jobs), "drawing", len(jobs), "video"))
        # Let the workers end by themselves: one that gets a signal just before it waits for a lock never ends.
        pool.close()
        pool.join()
    write_text(annotations, _json(untrimmed.build_annotations(plans)))
    write_text(sentences, _json(untrimmed.build_sentences(plans)))
    provenance = make_provenance("make_demo", spec, libraries=("av", "numpy", "opencv-contrib-python-headless"))
    write_text(manifest, _json({"videos": digests, "provenance": to_plain_data(provenance)}))


def _render(job: tuple[untrimmed.VideoPlan, Path]) -> tuple[str, str]:
    """Write one video; return its file name and sha256."""
    video, path = job
    write_mp4(
        path,
        untrimmed.render_frames(video),
        video.size,
        video.fps_or_times,
        untrimmed.render_audio(video),
        sample_rate=SAMPLE_RATE,
    )
    return path.name, file_digest(path)


def _leave_signals_to_parent() -> None:
    """Ignore Ctrl-C, as the parent ends its workers; on SIGTERM exit normally, so that temporary files are removed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
