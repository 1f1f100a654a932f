"""Temporal action localization without labels: CLIP-AE, the methods it is compared with, features, scoring.

    import clip_ae

    features = clip_ae.load_features("results/demo/features")
    detections = clip_ae.Localizer.load("results/demo").localize(features)
    scores = clip_ae.evaluate("annotations.json", detections, subset="validation")

Everything here loads on first use: importing clip_ae imports no torch. docs/python.md has an example of each.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clip_ae.api import (
        Comparison,
        Detections,
        Features,
        Localizer,
        Scores,
        compare,
        evaluate,
        extract,
        load_features,
        localize,
    )
    from clip_ae.core.errors import ClipAeError, RefusedInput, UserError

    __version__: str

__all__ = [
    "ClipAeError",
    "Comparison",
    "Detections",
    "Features",
    "Localizer",
    "RefusedInput",
    "Scores",
    "UserError",
    "__version__",
    "compare",
    "evaluate",
    "extract",
    "load_features",
    "localize",
]
_ERRORS = ("ClipAeError", "RefusedInput", "UserError")


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module 'clip_ae' has no attribute '{name}'")
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("clip-ae")
    else:
        value = getattr(importlib.import_module("clip_ae.core.errors" if name in _ERRORS else "clip_ae.api"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
