"""Repeat a frozen run elsewhere: write its config, or say where the outputs here begin to differ from it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.stages import workflow_order
from clip_ae.core.errors import ClipAeError, UserError
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
        Path | None, "file to write its config to, instead of comparing; as config.yaml it repeats it"
    ] = None,
    root: Annotated[Path, "folder that holds results/"] = Path(),
) -> int:
    content = read_json_object(frozen)
    try:
        outputs = {
            path: (entry["sha256"], Provenance.from_dict(entry["provenance"]))
            for path, entry in content["outputs"].items()
        }
        settings, made_on = content["provenance"]["spec"]["config"], dict(content["machine"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{frozen}: no frozen run; expected results/{{dataset}}_repro.json") from None
    if config:
        import yaml

        check_output_path(config, [frozen])
        write_text(config, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
        return 0
    told = [
        (path, why) for path in sorted(outputs, key=workflow_order) if (why := _difference(root / path, *outputs[path]))
    ]
    for path, why in told:
        print(f"{path}: {why}")
    if told and made_on != describe_machine():
        print(f"made on {_words(made_on)}; this is {_words(describe_machine())}")
    print(f"{len(outputs)} outputs, {len(told)} not the same")
    return 1 if told else 0


def _difference(path: Path, sha256: str, made_by: Provenance) -> str:
    """Why a file is not the same, in words; nothing where it is."""
    if not path.is_file():
        return "not here"
    if file_digest(path) == sha256:
        return ""
    try:
        causes = list(_causes(read_provenance(path), made_by))
    except ClipAeError as error:
        return f"other bytes; {error}"
    return "; ".join(causes) or "other bytes of the same record: the machine, or chance"


def _causes(here: Provenance, there: Provenance) -> Iterator[str]:
    if here.spec != there.spec:
        keys = (key for key in here.spec.keys() | there.spec.keys() if here.spec.get(key) != there.spec.get(key))
        yield f"another spec ({', '.join(sorted(keys))})"
    if here.code != there.code:
        yield "other code"
    for name in sorted(here.versions.keys() | there.versions.keys()):
        ours, theirs = here.versions.get(name, "none"), there.versions.get(name, "none")
        if ours != theirs:
            yield f"{name} {ours} instead of {theirs}"
    inputs = sorted(r for r in here.inputs.keys() | there.inputs.keys() if here.inputs.get(r) != there.inputs.get(r))
    if inputs:
        yield f"from other {', '.join(inputs)}"


def _words(machine: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items())
