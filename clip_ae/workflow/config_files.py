"""Read the config: configs/*.yaml, then config.yaml, then the user's own files. Later files override earlier ones.

Keys are merged one by one, as Snakemake merges a `--configfile`. Errors name the file and line of a key.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.schema import Config
from clip_ae.core.errors import ClipAeError, UserError, describe_error, make_printable
from clip_ae.core.files import refuse_special_file
from clip_ae.workflow.resources import find_resource

# Dotted path of a key -> "file:line".
Origins = dict[str, str]
# Limits above any real config: YAML aliases can expand a few lines to millions of keys, or to endless depth.
MAX_KEYS = 20_000
MAX_DEPTH = 8


@dataclass(frozen=True)
class ConfigFile:
    """One YAML file: its data, and the line of each key."""

    path: Path
    data: dict[str, Any]
    origins: Origins


@dataclass
class MergedConfig:
    """Several config files, merged into one."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: Origins = field(default_factory=dict)

    def locate(self, key: str) -> str:
        """'file:line' of a dotted key, or of its nearest parent that a file sets; '' if no file sets any."""
        # An error may name an item of a list, such as `runs[2]`.
        parts = key.partition("[")[0].split(".")
        paths = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        return next((self.origins[path] for path in paths if path in self.origins), "")


def read_config(configs_dir: Path, files: Iterable[Path], values: Mapping[str, Any] | None = None) -> MergedConfig:
    """The whole config: configs_dir/*.yaml, then `files` in order, then `--config` values."""
    merged = MergedConfig()
    defaults = [parse_config_file(path) for path in sorted(configs_dir.glob("*.yaml"))]
    _refuse_conflicts(defaults)
    for file in [*defaults, *map(parse_config_file, files)]:
        merge_keys(merged.data, file.data)
        merged.origins.update(file.origins)
    merge_keys(merged.data, values or {})
    return merged


def load_merged(merged: MergedConfig) -> Config:
    """The checked config; an error names the file and line of its key."""
    try:
        return load_config(merged.data)
    except ClipAeError as error:
        origin = merged.locate(str(error).partition(":")[0]) or "--config"
        raise type(error)(f"{origin}: {error}") from None


def load_project_config(
    project_dir: Path, own_files: Iterable[Path] = (), values: Mapping[str, Any] | None = None
) -> Config:
    """The config of a project folder: its own config.yaml, or the shipped one if it has none."""
    return load_merged(read_config(find_resource("configs"), [config_path(project_dir), *own_files], values))


def config_path(project_dir: Path) -> Path:
    """The config.yaml of a project folder, or the shipped one."""
    path = project_dir / "config.yaml"
    return path if path.exists() else find_resource("config.yaml")


def merge_keys(base: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Put changes into base key by key; lists and scalars are replaced whole."""
    for name, value in changes.items():
        if isinstance(value, Mapping):
            present = base.get(name)
            base[name] = dict(present) if isinstance(present, Mapping) else {}
            merge_keys(base[name], value)
        else:
            base[name] = value


def _refuse_conflicts(files: Iterable[ConfigFile]) -> None:
    """Refuse a key that two files of configs/ set: its value would depend on the order of the file names."""
    origins: Origins = {}
    for file in files:
        for path, origin in file.origins.items():
            if path in origins and not isinstance(_value_at(file.data, path), dict):
                raise UserError(f"{origin}: '{path}' is also set in {origins[path]}; remove one")
        origins.update(file.origins)


def _value_at(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return data


def parse_config_file(path: Path) -> ConfigFile:
    """One YAML file. A key that is given twice is an error; plain YAML would silently keep the last one."""
    import yaml

    refuse_special_file(path)
    try:
        text = path.read_text(encoding="utf-8")
        loader = _build_safe_loader(path)(text)
        node = loader.get_single_node()
        # The origins come first: constructing the data merges `<<` aliases into the nodes.
        pairs = list(islice(_key_origins(node, str(path)), MAX_KEYS))
        data = loader.construct_document(node) if node else None
    except FileNotFoundError:
        raise UserError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); expected a text file in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{line}: not YAML ({error.problem})") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # Most of these come from YAML's own constructors: impossible dates, lists as keys and the like.
        raise UserError(f"{path}: not YAML ({describe_error(error)})") from None
    if len(pairs) == MAX_KEYS:
        raise UserError(f"{path}: has {MAX_KEYS:,} keys or more, aliases counted as often as they stand; use fewer")
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected keys and values at the top level")
    return ConfigFile(path, data, dict(pairs))


def _build_safe_loader(path: Path) -> Any:
    """A safe YAML loader that refuses repeated keys; its errors name the path."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def construct_mapping(loader: Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        loader.flatten_mapping(node)
        mapping: dict[Any, Any] = {}
        for key, value in node.value:
            name = loader.construct_object(key, deep=True)
            if name in mapping:
                shown = make_printable(str(name))
                raise UserError(f"{path}:{key.start_mark.line + 1}: '{shown}' is given twice; remove one")
            mapping[name] = loader.construct_object(value, deep=True)
        return mapping

    def construct_int(loader: Loader, node: yaml.ScalarNode) -> int:
        value: int = loader.construct_yaml_int(node)
        # A long hexadecimal number may have more decimal digits than Python converts: that is a ValueError.
        str(value)
        return value

    Loader.add_constructor("tag:yaml.org,2002:int", construct_int)
    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct_mapping)
    return Loader


def _key_origins(node: Any, file: str, parents: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, 'file:line') of the keys of a YAML node, one by one: aliases can make millions of them."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return
    if len(parents) > MAX_DEPTH:
        raise UserError(f"{file}:{node.start_mark.line + 1}: keys are nested more than {MAX_DEPTH} deep")
    for key, value in node.value:
        # A list or a mapping as a key is an error later, when the data are constructed.
        if not isinstance(key, yaml.ScalarNode):
            continue
        path = (*parents, key.value)
        yield ".".join(path), f"{file}:{key.start_mark.line + 1}"
        yield from _key_origins(value, file, path)
