"""The file of a network's published weights: from a path, a URL, an archive, or by the name that a library knows."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import torch

from clip_ae.core.config.model_weights import describe_entry
from clip_ae.core.config.schema import KIND_BY_PREFIX, Weights
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import log_line
from clip_ae.encoders.networks.published import PublishedWeights
from clip_ae.weights.downloads import make_download_error
from clip_ae.weights.integrity import check_integrity
from clip_ae.weights.sources import fetch_weights


@contextlib.contextmanager
def fetch_source(spec: WeightsSpec, network: ModuleType, work_dir: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the checked source file, downloaded to `work_dir` if needed, and facts of the library's record."""
    weights, key = spec.weights, f"weights.{spec.name}"
    prefix = next((prefix for prefix in KIND_BY_PREFIX if weights.source.startswith(prefix)), None)
    if prefix is None:
        with report_with_entry(spec):
            facts = get_input_facts(weights, network)
        with fetch_weights(key, weights, work_dir) as path:
            yield path, facts
        return
    if weights.network_kind != KIND_BY_PREFIX[prefix]:
        raise UserError(f"{key}.source: {weights.source} is for a {KIND_BY_PREFIX[prefix]} network")
    with report_with_entry(spec):
        published = network.find_published(*weights.network_arguments, weights.source.removeprefix(prefix))
    with _fetch_published(key, weights, published, work_dir) as path:
        yield path, published.metadata


@contextlib.contextmanager
def report_with_entry(spec: WeightsSpec) -> Iterator[None]:
    """Name the entry of `weights` in errors of a library's network, which knows only its own options."""
    try:
        yield
    except (UserError, RefusedInput) as error:
        raise type(error)(f"{describe_entry(spec.name, spec.weights)}: {error}") from None


def get_input_facts(weights: Weights, network: ModuleType) -> dict[str, Any]:
    """The network's input by its library's record, for a file whose origin is not known; {} for other networks."""
    if weights.network_kind not in KIND_BY_PREFIX.values():
        return {}
    facts: dict[str, Any] = network.get_frame_input(*weights.network_arguments).to_metadata()
    return facts


@contextlib.contextmanager
def _fetch_published(key: str, weights: Weights, published: PublishedWeights, work_dir: Path) -> Iterator[Path]:
    """Yield a library's file: it has the digest that the publisher states, and the config's."""
    log_line(f"{key}: from {published.address}, or from the cache of an earlier download")
    with _locate_published(key, weights, published, work_dir) as path:
        check_integrity(key, path, published.integrity)
        check_integrity(key, path, weights.integrity)
        yield path


@contextlib.contextmanager
def _locate_published(key: str, weights: Weights, published: PublishedWeights, work_dir: Path) -> Iterator[Path]:
    if published.download is None:
        # torchvision's and timm's own cache of files from URLs.
        cached = Path(torch.hub.get_dir(), "checkpoints", PurePosixPath(urlsplit(published.address).path).name)
        integrity = published.integrity or weights.integrity
        source = str(cached) if cached.is_file() else published.address
        with fetch_weights(key, replace(weights, source=source, integrity=integrity), work_dir) as path:
            yield path
        return
    try:
        path = published.download()
    except (OSError, RuntimeError) as error:
        raise make_download_error(key, weights, published.address, error, "get its safetensors file") from None
    yield path
