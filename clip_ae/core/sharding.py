"""The shard of a video, names of shards, and file names made from video ids."""

import hashlib
import re
from urllib.parse import quote

from clip_ae.core.errors import UserError

# More files than this help nobody.
MAX_SHARDS = 1_000_000


def assign_shard(video_id: str, num_shards: int) -> int:
    """The shard of a video: sha256(id) mod the number of shards, so other videos do not move it."""
    return int(hashlib.sha256(video_id.encode("utf-8", "surrogateescape")).hexdigest(), 16) % num_shards


def list_demo_subsets(train_videos: int, test_videos: int) -> dict[str, str]:
    """Subset by id of the demo's videos: a function of its settings, known before they are generated."""
    train = {f"demo_train_{i:03d}": "training" for i in range(train_videos)}
    return train | {f"demo_test_{i:03d}": "validation" for i in range(test_videos)}


def format_shard_name(index: int, num_shards: int) -> str:
    return f"{index:04d}-of-{num_shards:04d}"


def list_shard_names(num_shards: int) -> list[str]:
    if not 0 < num_shards <= MAX_SHARDS:
        raise UserError(f"--shards {num_shards}: expected 1 to {MAX_SHARDS:,}")
    return [format_shard_name(i, num_shards) for i in range(num_shards)]


def parse_shard_name(name: str) -> tuple[int, int]:
    """(index, number of shards) from a shard's name."""
    found = re.fullmatch(r"([0-9]{4,9})-of-([0-9]{4,9})", name)
    if not found:
        raise UserError(f"{name}: not the name of a shard; expected a name like 0003-of-0008")
    if int(found[1]) >= int(found[2]):
        raise UserError(f"{name}: there is no such shard; shards are counted from 0")
    return int(found[1]), int(found[2])


def encode_file_name(video_id: str) -> str:
    """A file name for an id: no slash, no leading dash or dot, reversible."""
    name = quote(video_id, safe=" ()[]+,=@", errors="surrogateescape")
    return f"%{ord(name[0]):02X}{name[1:]}" if name[:1] in (".", "-") else name
