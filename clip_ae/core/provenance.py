"""What made a file: the stage, its spec, a digest of its code, and the records of its inputs."""

import ast
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clip_ae.core.config.dataclass_config import canonical, plain
from clip_ae.core.config.specs import Spec

FORMAT = 1
PACKAGE = Path(__file__).resolve().parents[1]
# Modules that no digest covers, each for a reason.
UNTRACKED = {
    "clip_ae.core.config.schema": "its values travel in the spec",
    "clip_ae.core.config.methods": "its values travel in the spec",
    "clip_ae.core.config.feature_adapters": "its values travel in the spec",
    "clip_ae.core.config.specs": "its values travel in the spec",
    "clip_ae.core.config.dataclass_config": "reads and writes the spec",
    "clip_ae.core.config.registry": "the modules that a spec names are digested themselves",
    "clip_ae.core.errors": "words for people",
    "clip_ae.core.progress": "words for people",
    "clip_ae.core.provenance": "writes the digest itself; FORMAT is part of every record",
}


@dataclass(frozen=True)
class Record:
    """Written into the metadata of every output."""

    stage: str
    spec: dict[str, Any]
    code: str
    inputs: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        return canonical(self)

    @staticmethod
    def from_json(text: str) -> "Record":
        return Record(**json.loads(text))

    @property
    def id(self) -> str:
        """One digest for the whole chain: inputs carry the ids of their own records."""
        return digest(self.to_json())


def make_record(stage: str, spec: Spec, inputs: dict[str, str] | None = None, libraries: Iterable[str] = ()) -> Record:
    """The record of a job: its spec, its code as it lies on disk, its inputs' ids, its libraries."""
    versions = {name: version(name) for name in sorted(libraries)}
    return Record(stage, plain(spec), stage_code(stage, spec.modules), inputs or {}, versions)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def join_ids(ids: Iterable[str]) -> str:
    """One id for a set of inputs, whatever their order."""
    return digest("\n".join(sorted(ids)))


def code_digest(modules: Iterable[str]) -> str:
    """sha256 over the syntax trees of the modules and of all they import inside the package, and what lies beside."""
    lines = (f"{m} {_module_digest(m)}" for m in sorted(closure(modules)))
    return digest("\n".join(lines))


def stage_code(stage: str, named: Iterable[str] = ()) -> str:
    """Digest of the module of a stage, or of a tool that writes a record, and of those that its spec names."""
    room = "stages" if source_of(f"clip_ae.stages.{stage}") else "tools"
    return code_digest([f"clip_ae.{room}.{stage}", *named])


def closure(modules: Iterable[str]) -> set[str]:
    """The modules and everything that they import, directly or not."""
    found: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module not in found and module not in UNTRACKED:
            found.add(module)
            queue.extend(_imports(module))
    return found


def source_of(module: str) -> Path | None:
    """The file of a module of this package, or None where there is none."""
    stem = PACKAGE.parent.joinpath(*module.split("."))
    return next((p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.is_file()), None)


@functools.cache
def _tree(module: str) -> ast.Module:
    path = source_of(module)
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
        if name.split(".")[0] == "clip_ae" and source_of(name):
            yield name


@functools.cache
def _module_digest(module: str) -> str:
    return digest("\n".join([serialize(_tree(module)), *_beside(module)]))


def _beside(module: str) -> Iterator[str]:
    """A page's script and style: the modules of their folder read them."""
    path = source_of(module)
    assert path is not None, module
    for other in sorted(path.parent.iterdir()):
        if other.suffix in (".js", ".css"):
            yield f"{other.name} {digest(other.read_text(encoding='utf-8'))}"


def serialize(node: Any) -> str:
    """A syntax tree as text: no positions, no docstrings, no empty fields, so no Python version shows."""
    if isinstance(node, list):
        return "[" + ",".join(serialize(n) for n in node) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    parts = []
    for name, value in sorted(ast.iter_fields(node)):
        is_body = name == "body" and isinstance(value, list)
        kept = value[_has_docstring(node, value) :] if is_body else value
        if name not in ("ctx", "kind", "type_comment") and kept is not None and kept != []:
            parts.append(f"{name}={serialize(kept)}")
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
