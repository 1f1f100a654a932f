"""Random changes of bytes, as fuzzers make them: flipped, replaced, cut, doubled and spliced."""

import random
from collections.abc import Sequence

# Numbers at the ends of their ranges, and words of the formats.
TOKENS = (
    b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff" * 8, b"\x00" * 8,
    b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"1e999", b"nan", b"-1", b"9" * 30, b"null", b"true", b"[[[[", b"{}", b"[]",
    b'""', b'"x":', b"PK\x03\x04", b"PAR1", b"\x93NUMPY", b"BF16", b"F8_E4M3", b"shape", b"(((", b"True", b"O",
    b"\\ud800", b"\n", b"\x80\x02", b"]", b"\x8a\x08", b"c__builtin__\neval\n",
)  # fmt: skip


def mutate(raw: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """One to six changes of a valid file; rarely random bytes alone."""
    if rng.random() < 0.01:
        return rng.randbytes(rng.randrange(200))
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        _change(data, others, rng)
    return bytes(data)


def _change(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    kind = rng.randrange(7)
    if kind == 0 and data:
        data[at % len(data)] ^= 1 << rng.randrange(8)
    elif kind == 1 and data:
        data[at % len(data)] = rng.randrange(256)
    elif kind == 2:
        token = rng.choice(TOKENS)
        data[at : at + rng.choice((0, len(token)))] = token
    elif kind == 3:
        # A part is doubled.
        part = bytes(data[at : at + rng.randrange(1, 64)])
        data[at:at] = part * rng.choice((1, 1, 2, 50))
    elif kind == 4:
        del data[at : at + rng.randrange(1, 16)]
    elif kind == 5:
        other = rng.choice(others)
        first = rng.randrange(len(other) + 1)
        part = other[first : first + rng.randrange(64)]
        data[at : at + len(part)] = part
    elif rng.random() < 0.3:
        # The end is cut off.
        del data[at:]
