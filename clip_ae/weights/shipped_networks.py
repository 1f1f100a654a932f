"""The demo's networks, as `make demo-from-scratch` trains them: `source: shipped` in the config."""

from pathlib import Path

from clip_ae.core.errors import UserError, suggest_name

FOLDER = Path(__file__).parent / "shipped"


def find_shipped(name: str) -> Path:
    """The file of a network of this package."""
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        names = sorted(file.stem for file in FOLDER.glob("*.safetensors"))
        raise UserError(
            f"weights.{name}.source: no network of this name is shipped{suggest_name(name, names)}; "
            f"shipped are {', '.join(names)}"
        )
    return path
