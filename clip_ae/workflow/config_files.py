"""config.yaml as plain data. YAML keeps the last of two equal keys silently; here that is an error."""

from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError


def read_config_file(path: Path) -> dict[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that stands twice."""

    def mapping(loader: Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        loader.flatten_mapping(node)
        seen: dict[Any, Any] = {}
        for key, value in node.value:
            name = loader.construct_object(key, deep=True)
            if name in seen:
                raise UserError(f"{path}:{key.start_mark.line + 1}: '{name}' stands twice; remove one")
            seen[name] = loader.construct_object(value, deep=True)
        return seen

    def whole(loader: Loader, node: yaml.ScalarNode) -> int:
        value: int = loader.construct_yaml_int(node)
        # Hexadecimals may be longer than Python is ready to write in decimals.
        str(value)
        return value

    Loader.add_constructor("tag:yaml.org,2002:int", whole)
    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); expected a text file in UTF-8") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # The latter come from its constructors, of dates that are none, lists as keys and the like.
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: not YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected keys and values at the top")
    return data
