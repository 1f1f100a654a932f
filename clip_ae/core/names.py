"""Which shard a video lies in, and what files made from an id are called."""

import hashlib
from urllib.parse import quote


def shard_of(video_id: str, shards: int) -> int:
    """A video stays in its shard whatever other videos come and go."""
    return int(hashlib.sha256(video_id.encode("utf-8", "surrogateescape")).hexdigest(), 16) % shards


def shard_name(index: int, shards: int) -> str:
    return f"{index:04d}-of-{shards:04d}"


def shard_names(shards: int) -> list[str]:
    return [shard_name(i, shards) for i in range(shards)]


def parse_shard(name: str) -> tuple[int, int]:
    """(index, shards) of a shard's name."""
    index, shards = name.split("-of-")
    return int(index), int(shards)


def file_name(video_id: str) -> str:
    """A file name for an id: no slash, no leading dash or dot, reversible."""
    name = quote(video_id, safe=" ()[]+,=@", errors="surrogateescape")
    return f"%{ord(name[0]):02X}{name[1:]}" if name[:1] in (".", "-") else name
