"""Provenance of a file: the stage that made it, its spec, a digest of its code, and the ids of its inputs."""

import ast
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clip_ae.core.config.dataclass_config import to_canonical_json, to_plain_data
from clip_ae.core.config.specs import Spec

FORMAT = 2
# Rows of `versions` that are known only after a job has chosen a backend.
CHOSEN_BY_JOBS = ("backend", "openvino")
PACKAGE_DIR = Path(__file__).resolve().parents[1]
# Modules that no code digest covers, each with the reason.
UNTRACKED_MODULES = {
    "clip_ae.core.config.schema": "its values travel in the spec",
    "clip_ae.core.config.network_options": "its values travel in the spec",
    "clip_ae.core.config.model_weights": "its values travel in the spec",
    "clip_ae.core.config.methods": "its values travel in the spec",
    "clip_ae.core.config.streams": "its values travel in the spec",
    "clip_ae.core.config.feature_adapters": "its values travel in the spec",
    "clip_ae.core.config.training": "its values travel in the spec",
    "clip_ae.core.config.renamed_keys": "texts for people only",
    "clip_ae.core.config.specs": "its values travel in the spec",
    "clip_ae.core.config.stage_specs": "its values travel in the spec",
    "clip_ae.core.config.stage_registry": "declares stages; their code is digested itself",
    "clip_ae.core.config.stages": "finds stages; their code is digested itself",
    "clip_ae.core.config.dataclass_config": "reads and writes specs",
    "clip_ae.core.config.registry": "the modules that a spec names have their own digest",
    "clip_ae.core.errors": "texts for people only",
    "clip_ae.core.progress": "texts for people only",
    "clip_ae.core.provenance": "computes the digest itself; FORMAT is in every provenance",
}


@dataclass(frozen=True)
class Provenance:
    """Stored in the metadata of every output."""

    stage: str
    spec: dict[str, Any]
    code: str
    inputs: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        return to_canonical_json(self)

    @staticmethod
    def from_json(text: str) -> "Provenance":
        return Provenance.from_dict(json.loads(text))

    @staticmethod
    def from_dict(data: Any) -> "Provenance":
        """Raises ValueError for another format: old results are made again, never read as if they were new."""
        file_format = data.get("format") if isinstance(data, dict) else None
        if file_format != FORMAT:
            raise ValueError(f"its format is {file_format}, this version reads format {FORMAT}")
        provenance = Provenance(**data)
        _check_types(provenance)
        return provenance

    @property
    def id(self) -> str:
        """One digest for the whole chain: inputs are given by the ids of their own provenance."""
        return digest(self.to_json())

    def is_of_same_job(self, other: "Provenance") -> bool:
        """Whether both are of one job, whatever `backend: auto` chose for it."""
        mine, others = (
            {name: text for name, text in p.versions.items() if name not in CHOSEN_BY_JOBS} for p in (self, other)
        )
        return replace(self, versions=mine) == replace(other, versions=others)


def _check_types(provenance: Provenance) -> None:
    """ValueError for a provenance that no job has written: anybody can write a file."""
    texts = [provenance.stage, provenance.code]
    for name in ("inputs", "versions"):
        pairs = getattr(provenance, name)
        if not isinstance(pairs, dict):
            raise ValueError(f"its {name} are a {type(pairs).__name__}")
        texts += pairs.values()
    if not isinstance(provenance.spec, dict) or not all(isinstance(text, str) for text in texts):
        raise ValueError("its stage, spec, code, inputs or versions are of another type")
    # Half of a surrogate pair can be read from JSON, and not be digested.
    provenance.to_json().encode()


def make_provenance(
    stage: str, spec: Spec, inputs: dict[str, str] | None = None, libraries: Iterable[str] = ()
) -> Provenance:
    """Provenance of a job: its spec, its code on disk, the ids of its inputs, the versions of its libraries."""
    versions = {name: version(name) for name in sorted(libraries)}
    return Provenance(stage, to_plain_data(spec), digest_stage_code(stage, spec.modules), inputs or {}, versions)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def digest_ids(ids: Iterable[str]) -> str:
    """One id for several inputs, independent of their order; inputs of equal ids count one by one."""
    return digest("\n".join(sorted(ids)))


def digest_modules(modules: Iterable[str]) -> str:
    """sha256 over the syntax trees of modules and of all package modules that they import."""
    lines = (f"{m} {_module_digest(m)}" for m in sorted(collect_imports(modules)))
    return digest("\n".join(lines))


def digest_stage_code(stage: str, modules: Iterable[str] = ()) -> str:
    """Code digest of a stage, or of a tool that writes provenance, with the modules that its spec names."""
    package = "stages" if find_source_file(f"clip_ae.stages.{stage}") else "tools"
    return digest_modules([f"clip_ae.{package}.{stage}", *modules])


def collect_imports(modules: Iterable[str]) -> set[str]:
    """The modules and everything that they import from the package, directly or indirectly."""
    found: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module not in found and module not in UNTRACKED_MODULES:
            found.add(module)
            queue.extend(_imports(module))
    return found


def find_source_file(module: str) -> Path | None:
    """The file of a module of this package; None if there is none."""
    stem = PACKAGE_DIR.parent.joinpath(*module.split("."))
    return next((p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.is_file()), None)


@functools.cache
def _tree(module: str) -> ast.Module:
    path = find_source_file(module)
    assert path is not None, module
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def _imports(module: str) -> frozenset[str]:
    return frozenset(name for node in ast.walk(_tree(module)) for name in _imported(node))


def _imported(node: ast.AST) -> Iterator[str]:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    for name in names:
        if name.split(".")[0] == "clip_ae" and find_source_file(name):
            yield name


@functools.cache
def _module_digest(module: str) -> str:
    return digest("\n".join([serialize_tree(_tree(module)), *_digest_browser_files(module)]))


def _digest_browser_files(module: str) -> Iterator[str]:
    """Names and digests of the .js and .css files of the module's folder, which its modules read."""
    path = find_source_file(module)
    assert path is not None, module
    for other in sorted(path.parent.iterdir()):
        if other.suffix in (".js", ".css"):
            yield f"{other.name} {digest(other.read_text(encoding='utf-8'))}"


def serialize_tree(node: Any) -> str:
    """A syntax tree as text without positions, docstrings and empty fields: equal for all Python versions."""
    if isinstance(node, list):
        return "[" + ",".join(serialize_tree(n) for n in node) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    parts = []
    for name, value in sorted(ast.iter_fields(node)):
        is_body = name == "body" and isinstance(value, list)
        content = value[_has_docstring(node, value) :] if is_body else value
        if name not in ("ctx", "kind", "type_comment") and content is not None and content != []:
            parts.append(f"{name}={serialize_tree(content)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _has_docstring(node: ast.AST, body: list[Any]) -> bool:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    first = body[0] if body else None
    return (
        isinstance(node, holders)
        and isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
