"""Write docs/config.md: every config key with type, default, limits and meaning. `python -m docs.config_reference`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.config.dataclass_config import build_json_schema
from clip_ae.core.config.schema import Config

PAGE = Path(__file__).with_name("config.md")
HEAD = """# Config reference

Every key of the config, with its default. This page is generated from the code
(`python -m docs.config_reference`). `config.yaml` and `configs/*.yaml` give only the keys that
differ from these defaults. Words: [glossary](glossary.md). `NAME` stands for a name of your own.

"""


def render_page() -> str:
    schema = build_json_schema(Config)
    rows = list(_rows(schema))
    sections: dict[str, list[tuple[str, str, str, str]]] = {}
    for path, kind, default, meaning in rows:
        section, _, _ = path.partition(".")
        sections.setdefault(section if "." in path else "top level", []).append((path, kind, default, meaning))
    return HEAD + "\n".join(_section(name, rows) for name, rows in sections.items())


def _section(name: str, rows: list[tuple[str, str, str, str]]) -> str:
    lines = [f"| `{path}` | {kind} | {default} | {meaning} |" for path, kind, default, meaning in rows]
    return "\n".join([f"## {name}", "", "| key | type | default | meaning |", "|---|---|---|---|", *lines, ""])


def _rows(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """(key, type, default, meaning) of every leaf below a JSON Schema object."""
    for name, child in node["properties"].items():
        where = f"{path}.{name}" if path else name
        options = [o for o in child.get("anyOf", [child]) if o.get("type") != "null"]
        holder = next((o for o in options if o.get("type") == "object"), None)
        if holder is None:
            yield where, _kind(options), _default(child), child["description"].replace("|", "\\|")
        elif "properties" in holder:
            yield from _rows(holder, where)
        elif "properties" in (inner := holder["additionalProperties"]):
            yield from _rows(inner, f"{where}.NAME")
        elif "anyOf" in inner:
            yield from _variant_rows(inner["anyOf"], f"{where}.NAME")
        else:
            yield f"{where}.NAME", _kind([inner]), "", child["description"]


def _variant_rows(variants: list[dict[str, Any]], path: str) -> Iterator[tuple[str, str, str, str]]:
    """The keys of the first variant, which all have, then those of each other one after the value that chooses it."""
    common, *others = variants
    yield from _rows(common, path)
    for variant in others:
        kind = variant["properties"]["encoder"].get("default", "of your own")
        properties = {k: v for k, v in variant["properties"].items() if k not in common["properties"]}
        for where, value_kind, default, meaning in _rows({"properties": properties}, path):
            yield f"{where}", value_kind, default, f"encoder {kind}: {meaning}"


def _kind(options: list[dict[str, Any]]) -> str:
    return " or ".join(_one_kind(option) for option in options)


def _one_kind(option: dict[str, Any]) -> str:
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    if option["type"] == "array":
        return f"list of {_one_kind(option['items'])}"
    limits = [
        f"{sign} {option[name]:g}"
        for name, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"))
        if name in option
    ]
    return " ".join([{"string": "text"}.get(option["type"], option["type"]), *limits])


def _default(child: dict[str, Any]) -> str:
    return f"`{json.dumps(child['default'])}`" if "default" in child else ""


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
