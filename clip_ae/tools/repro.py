"""Repeat a frozen run: write its config, or list the outputs here that differ from its outputs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.stages import workflow_order
from clip_ae.core.errors import ClipAeError, UserError, make_printable
from clip_ae.core.files import check_output_path, write_text
from clip_ae.core.provenance import Provenance
from clip_ae.data.detections import read_json_object
from clip_ae.provenance.machine import describe_machine
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.weights.integrity import file_digest


def run(
    frozen: Annotated[Path, "results/{dataset}_repro.json of the run"],
    *,
    config: Annotated[
        Path | None, "write the run's config to this file instead of comparing; use it as config.yaml to repeat the run"
    ] = None,
    root: Annotated[Path, "folder that contains results/"] = Path(),
) -> int:
    content = read_json_object(frozen)
    try:
        outputs = {
            path: (entry["sha256"], Provenance.from_dict(entry["provenance"]))
            for path, entry in content["outputs"].items()
        }
        settings, frozen_machine = content["provenance"]["spec"]["config"], dict(content["machine"])
    except (KeyError, TypeError, ValueError, AttributeError):
        # JSON of any other shape.
        raise UserError(f"{frozen}: no frozen run; expected results/{{dataset}}_repro.json") from None
    if config:
        _write_config(config, frozen, settings)
        return 0
    differences = {
        path: difference
        for path in sorted(outputs, key=workflow_order)
        if (difference := _explain_difference(root / path, *outputs[path]))
    }
    for path, difference in differences.items():
        print(f"{make_printable(path)}: {difference}")
    machine = describe_machine()
    if differences and frozen_machine != machine:
        print(f"the frozen run was computed on {_machine_text(frozen_machine)}; this is {_machine_text(machine)}")
    print(f"{len(outputs)} outputs, {len(differences)} different or missing")
    return 1 if differences else 0


def _write_config(path: Path, frozen: Path, settings: Any) -> None:
    import yaml

    check_output_path(path, [frozen])
    try:
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    except RecursionError:
        raise UserError(f"{frozen}: no frozen run; its config is nested too deep") from None
    write_text(path, text)


def _explain_difference(path: Path, sha256: str, frozen: Provenance) -> str:
    """Why a file differs from the frozen one; empty if it is the same."""
    if not path.is_file():
        return "missing"
    if file_digest(path) == sha256:
        return ""
    try:
        causes = list(_list_causes(read_provenance(path), frozen))
    except ClipAeError as error:
        return f"other bytes; {error}"
    return "; ".join(causes) or "other bytes, same provenance: another machine, or not deterministic"


def _list_causes(here: Provenance, frozen: Provenance) -> Iterator[str]:
    if here.spec != frozen.spec:
        keys = (key for key in here.spec.keys() | frozen.spec.keys() if here.spec.get(key) != frozen.spec.get(key))
        yield f"another spec ({', '.join(sorted(keys))})"
    if here.code != frozen.code:
        yield "other code"
    for name in sorted(here.versions.keys() | frozen.versions.keys()):
        version, frozen_version = here.versions.get(name, "none"), frozen.versions.get(name, "none")
        if version != frozen_version:
            yield f"{name} {version} instead of {frozen_version}"
    roles = here.inputs.keys() | frozen.inputs.keys()
    changed_roles = sorted(role for role in roles if here.inputs.get(role) != frozen.inputs.get(role))
    if changed_roles:
        yield f"other inputs: {', '.join(changed_roles)}"


def _machine_text(machine: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items())
