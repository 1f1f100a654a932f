"""Choose the fastest backend and precision for a network on this machine: measured once, then remembered.

A choice holds for a processor, its number of threads, a network with its weights, a batch shape and library versions.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.config.streams import StreamEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.processor import has_bf16_instructions, processor_name
from clip_ae.core.progress import log_line
from clip_ae.encoders.batch_size import EncodeFunction
from clip_ae.encoders.crops import Array
from clip_ae.encoders.openvino_backend import (
    UnsupportedNetwork,
    check_openvino,
    find_openvino_problem,
)
from clip_ae.encoders.precision_check import measure_deviation

# A choice is allowed if its features differ from those of torch in fp32 by no more than this.
MIN_COSINE, MAX_DIFFERENCE = 0.9999, 0.01
# A candidate must be so much faster than torch in fp32: noise must not decide.
MIN_SPEEDUP = 1.1
# Passes that are timed, after one that compiles; the fastest counts.
TIMED_PASSES = 3
BuildEncode = Callable[[StreamEncoder], EncodeFunction]


@dataclass(frozen=True)
class Candidate:
    """A backend and a precision, with what was measured: seconds for a batch, deviation from torch in fp32."""

    encoder: StreamEncoder
    seconds: float
    cosine: float
    difference: float

    @property
    def is_accurate(self) -> bool:
        return self.cosine >= MIN_COSINE and self.difference <= MAX_DIFFERENCE

    @property
    def name(self) -> str:
        return describe(self.encoder)


def describe(encoder: StreamEncoder) -> str:
    return f"{encoder.backend} in {encoder.precision}"


def exact_encoder(encoder: StreamEncoder) -> StreamEncoder:
    """The same encoder by torch in fp32: what others are compared with."""
    return replace(encoder, backend="torch", precision="fp32", compile=False)


def list_candidates(encoder: StreamEncoder, device: str) -> list[StreamEncoder]:
    """What `auto` stands for on this device; one candidate if both keys are stated."""
    if encoder.backend == "openvino":
        if device != "cpu":
            raise UserError("backend openvino: runs on CPUs only; set backend to torch, or runtime.device to cpu")
        check_openvino()
    backends: list[Any] = [encoder.backend]
    if encoder.backend == "auto":
        # torch.compile is torch's own.
        is_usable = device == "cpu" and not encoder.compile and find_openvino_problem() is None
        backends = ["torch", "openvino"] if is_usable else ["torch"]
    precisions: list[Any] = [encoder.precision]
    if encoder.precision == "auto":
        is_fast = has_bf16_instructions() if device == "cpu" else torch.cuda.is_bf16_supported()
        precisions = ["fp32", "bf16"] if is_fast else ["fp32"]
    return [replace(encoder, backend=b, precision=p) for b in backends for p in precisions]


def choose_encoder(
    label: str, encoder: StreamEncoder, build: BuildEncode, batch: Array, device: str, weights_ids: Sequence[str]
) -> StreamEncoder:
    """The encoder with the backend and the precision that are fastest on this batch and accurate."""
    candidates = list_candidates(encoder, device)
    if len(candidates) == 1:
        return candidates[0]
    cache, key = ChoiceCache.default(), make_key(encoder, batch, device, weights_ids)
    remembered = cache.read(key)
    for candidate in candidates:
        if remembered == describe(candidate):
            log_line(f"{label}: {remembered}, measured here before")
            return candidate
    chosen = select_fastest(list(measure_candidates(candidates, build, batch)), label)
    cache.write(key, describe(chosen))
    return chosen


def measure_candidates(candidates: Sequence[StreamEncoder], build: BuildEncode, batch: Array) -> Iterator[Candidate]:
    """Time each candidate and compare it with torch in fp32; at most two networks are in memory."""
    exact = build(exact_encoder(candidates[0]))(batch)
    for encoder in candidates:
        encode = build(encoder)
        try:
            features = encode(batch)
        except UnsupportedNetwork as error:
            if all(candidate.backend == "openvino" for candidate in candidates):
                raise
            log_line(f"{describe(encoder)} is left out: {error}")
            continue
        seconds = min(_time(encode, batch) for _ in range(TIMED_PASSES))
        yield Candidate(encoder, seconds, *measure_deviation(features, exact))


def select_fastest(measured: Sequence[Candidate], label: str) -> StreamEncoder:
    """The fastest of the accurate candidates; the first, unless another is clearly faster."""
    best = measured[0]
    for candidate in measured[1:]:
        if candidate.is_accurate and candidate.seconds * MIN_SPEEDUP <= best.seconds:
            best = candidate
    others = ", ".join(f"{c.name} {c.seconds:.3g} s" for c in measured if c is not best)
    log_line(
        f"{label}: {best.name}, {best.seconds:.3g} s a batch (others: {others}); largest difference from torch in "
        f"fp32 {best.difference:.2%}"
    )
    return best.encoder


def make_key(encoder: StreamEncoder, batch: Array, device: str, weights_ids: Sequence[str]) -> str:
    """What a choice holds for."""
    openvino = "" if find_openvino_problem() else version("openvino")
    parts = [
        processor_name() if device == "cpu" else torch.cuda.get_device_name(device),
        f"{torch.get_num_threads()} threads",
        f"torch {torch.__version__}",
        f"openvino {openvino}",
        encoder.encoder,
        f"{encoder.backend} {encoder.precision} {encoder.compile}",
        "x".join(map(str, batch.shape)),
        *(name[:12] for name in weights_ids),
    ]
    return ", ".join(parts)


@dataclass(frozen=True)
class ChoiceCache:
    """Earlier choices in the user's cache folder. A file that cannot be read or written costs a measurement only."""

    path: Path | None

    @staticmethod
    def default() -> "ChoiceCache":
        home = os.environ.get("HOME")
        folder = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else None)
        return ChoiceCache(Path(folder, "clip-ae", "backends.json") if folder else None)

    def read(self, key: str) -> str | None:
        value = self._read_all().get(key)
        return value if isinstance(value, str) else None

    def write(self, key: str, value: str) -> None:
        if self.path is None:
            return
        try:
            write_text(self.path, json.dumps({**self._read_all(), key: value}, indent=1, sort_keys=True) + "\n")
        except (OSError, UserError):
            return

    def _read_all(self) -> dict[str, Any]:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8")) if self.path else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}


def _time(encode: EncodeFunction, batch: NDArray[Any]) -> float:
    start = time.perf_counter()
    np.asarray(encode(batch))
    return time.perf_counter() - start
