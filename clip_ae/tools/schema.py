"""Print the JSON Schema of config.yaml; workflow/schemas contains a copy."""

import json

from clip_ae.core.config.dataclass_config import build_json_schema
from clip_ae.core.config.schema import Config


def build_schema_text() -> str:
    header = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "clip-ae config.yaml"}
    return json.dumps(header | build_json_schema(Config), indent=2, ensure_ascii=False) + "\n"


def run() -> None:
    print(build_schema_text(), end="")
