"""The losses of every round, of every seed."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.pages import charts
from clip_ae.pages.page import figure, folded

# The lines of a training.jsonl.
Log = Sequence[Mapping[str, Any]]


def training(logs: Mapping[int, Sequence[Log]]) -> str:
    """By seed, then by round; the first seed is open."""
    pictures = {
        f"seed {seed}": "".join(
            figure(f"seed {seed}, round {number}", "loss over steps", _losses(log, f"losses of round {number}"))
            for number, log in enumerate(rounds)
        )
        for seed, rounds in logs.items()
    }
    first, *others = pictures.items()
    return first[1] + "".join(folded(name, content) for name, content in others)


def _losses(log: Log, words: str) -> str:
    names = [name for name in log[0] if name not in ("step", "watched")] if log else []
    ends = ", ".join(f"{name} from {log[0][name]:.3g} to {log[-1][name]:.3g}" for name in names)
    return charts.curves({name: [(line["step"], line[name]) for line in log] for name in names}, f"{words}: {ends}")
