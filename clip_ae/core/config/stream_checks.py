"""Checks of the streams of a dataset: names, roles, encoders, and what runs and feature adapters need of them."""

import re
from collections.abc import Collection
from dataclasses import replace

from clip_ae.core.config.methods import select_streams
from clip_ae.core.config.registry import ENCODERS
from clip_ae.core.config.schema import Config, Dataset
from clip_ae.core.config.simulation import SIMULATED_STREAMS
from clip_ae.core.config.streams import (
    RESERVED_STREAM_NAMES,
    WELL_KNOWN_STREAMS,
    ClipEncoder,
    I3dEncoder,
    I3dFlowEncoder,
    Stream,
    StreamEncoder,
)
from clip_ae.core.errors import UserError, suggest_name

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def check_streams(where: str, dataset: Dataset, config: Config) -> None:
    """Refuse streams without a role, too many streams of one role, and encoders that do not fit the source."""
    if not dataset.stream_names:
        raise UserError(f"{where}.streams: missing; name the streams, as in `streams: {{rgb: {{}}}}`")
    for name, stream in dataset.streams.items():
        check_stream_name(f"{where}.streams.{name}", name)
        if stream.role_of(name) is None:
            raise UserError(
                f"{where}.streams.{name}.role: missing; say cbp, vlp or audio (only "
                f"{', '.join(WELL_KNOWN_STREAMS)} have a role by their name)"
            )
        _check_source(f"{where}.streams.{name}", name, stream, dataset)
    names_by_role = {role: [n for n, r in dataset.roles.items() if r == role] for role in ("vlp", "audio")}
    for role, names in names_by_role.items():
        if len(names) > 1:
            raise UserError(f"{where}.streams: {' and '.join(names)} have the role {role}; only one stream can have it")
    for name, encoder in dataset.encoders.items():
        _check_encoder(f"{where}.streams.{name}", name, encoder, dataset, config)
    for name in dataset.localization.stream_weights:
        check_known(f"{where}.localization.stream_weights", name, dataset.stream_names)


def check_run_streams(where: str, dataset: Dataset, run: str, config: Config) -> None:
    """Refuse a run that needs a role which no stream has, or weights of only some of its streams."""
    settings = config.runs[run]
    cbp = select_streams(f"{where}.runs: {run}", dataset.roles, settings).cbp
    overrides = settings.localization
    weights = (overrides.stream_weights if overrides else None) or dataset.localization.stream_weights
    missing = [name for name in cbp if name not in weights]
    if weights and missing:
        raise UserError(
            f"{where}.runs: {run} reads {', '.join(cbp)}, but localization.stream_weights has no {missing[0]}; "
            "give each a weight, or none"
        )
    if weights and not any(weights[name] for name in cbp):
        raise UserError(f"{where}.runs: {run}: localization.stream_weights are 0 for {', '.join(cbp)}; raise one")
    if settings.feature_adapter:
        adapted = select_streams(
            where, dataset.roles, config.runs[config.feature_adapters[settings.feature_adapter].run]
        )
        for name in set(cbp) - set(adapted.cbp):
            raise UserError(
                f"{where}.runs: {run} reads {name}, which feature_adapters.{settings.feature_adapter} does not adapt; "
                "set cbp_streams of both runs alike"
            )


def check_adapter_streams(where: str, dataset: Dataset, adapter: str, config: Config) -> None:
    """Refuse a dataset without the streams and encoders that a feature adapter needs."""
    settings = config.feature_adapters[adapter]
    cbp = select_streams(f"{where}: feature_adapters.{adapter}.run", dataset.roles, config.runs[settings.run]).cbp
    if not settings.uses_class_names and dataset.vlp_stream is None:
        raise UserError(
            f"{where}: feature_adapters.{adapter} aligns to {settings.align_to} of the vlp stream, and this dataset "
            "has none; add a stream with role vlp"
        )
    if settings.uses_class_names and not (has_text_tower(dataset) or dataset.simulate):
        raise UserError(
            f"{where}: feature_adapters.{adapter} needs a CLIP text tower; add a vlp stream with encoder clip"
        )
    is_tunable = all(isinstance(dataset.encoders.get(name), I3dEncoder | I3dFlowEncoder) for name in cbp)
    if settings.mode == "encoder" and not is_tunable:
        raise UserError(
            f"{where}: feature_adapters.{adapter} fine-tunes I3D, so it needs videos, and encoder i3d or i3d_flow for "
            f"{', '.join(cbp)}"
        )
    if settings.trimmed_dataset:
        trimmed = config.datasets[settings.trimmed_dataset]
        encoders, trimmed_encoders = ([data.encoders.get(name) for name in cbp] for data in (dataset, trimmed))
        if None in encoders or encoders != trimmed_encoders or dataset.grid != trimmed.grid:
            raise UserError(f"{where}: the trimmed clips need the same encoders of {', '.join(cbp)} and the same grid")


def has_text_tower(dataset: Dataset) -> bool:
    """Whether the vlp stream is extracted by CLIP, whose text tower then embeds texts."""
    return dataset.vlp_stream is not None and isinstance(dataset.encoders.get(dataset.vlp_stream), ClipEncoder)


def check_stream_name(where: str, name: str) -> None:
    """Refuse a name that cannot be a folder, a wildcard or a part of a network."""
    if not NAME_PATTERN.fullmatch(name):
        raise UserError(f"{where}: a name has only letters, digits, '-' and '_', and begins with a letter or digit")
    if name in RESERVED_STREAM_NAMES:
        raise UserError(f"{where}: a stream cannot be called {name}; choose another name")


def _check_source(where: str, name: str, stream: Stream, dataset: Dataset) -> None:
    """An encoder is for videos; feature files and simulated streams have none."""
    if dataset.simulate:
        check_known(where, name, SIMULATED_STREAMS)
    if dataset.demo is not None or dataset.videos_dir is not None:
        if not isinstance(stream, StreamEncoder):
            raise UserError(f"{where}.encoder: missing; one of {', '.join(ENCODERS)}")
        return
    default_type = WELL_KNOWN_STREAMS[name].encoder if name in WELL_KNOWN_STREAMS else Stream
    default = replace(default_type(), role=stream.role)
    if stream != default:
        raise UserError(f"{where}: only `role` can be set here; encoders are for a dataset of videos")


def _check_encoder(where: str, name: str, encoder: StreamEncoder, dataset: Dataset, config: Config) -> None:
    for key_name, kind in encoder.network_kind_by_key.items():
        chosen = getattr(encoder, key_name)
        if chosen is not None:
            check_known(f"{where}.{key_name}", chosen, config.weights)
            found = config.weights[chosen].network_kind
            if found != kind:
                raise UserError(f"{where}.{key_name}: {chosen} is a {found} network; {name} needs {kind} here")
    if isinstance(encoder, I3dEncoder | I3dFlowEncoder):
        i3d = config.weights[encoder.weights].i3d
        if i3d and i3d.channels != encoder.NUM_CHANNELS:
            raise UserError(
                f"{where}.weights: {encoder.weights} takes {i3d.channels} channels; {name} has {encoder.NUM_CHANNELS}"
            )
    if isinstance(encoder, I3dFlowEncoder) and (encoder.algorithm == "raft") != (encoder.raft is not None):
        raise UserError(f"{where}.raft: name a raft entry of `weights` with algorithm raft, and with no other")
    if isinstance(encoder, ClipEncoder) and encoder.frames > dataset.grid.frames:
        raise UserError(
            f"{where}.frames: CLIP reads {encoder.frames} frames, but a snippet has only {dataset.grid.frames}; "
            "make it smaller"
        )


def check_known(where: str, name: str, known: Collection[str]) -> None:
    """Refuse a name that is not among the known ones, and suggest a similar one."""
    if name not in known:
        raise UserError(f"{where}: '{name}' is not defined{suggest_name(name, known)}")
