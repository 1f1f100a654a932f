"""The section Training: loss curves of every seed and round."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.pages import charts
from clip_ae.pages.page import render_figure, wrap_collapsible

# The lines of a training.jsonl.
TrainingLog = Sequence[Mapping[str, Any]]
# A log has the total with the weights, and each other loss without its weight: a loss may be above the total.
CAPTION = "losses over steps, before their weights; total: their weighted sum"


def render_training_curves(logs: Mapping[int, Sequence[TrainingLog]]) -> str:
    """HTML of the section, from the logs by seed and round; all seeds but the first are collapsed."""
    pictures = {
        f"seed {seed}": "".join(
            render_figure(f"seed {seed}, round {number}", CAPTION, _render_losses(log, f"losses of round {number}"))
            for number, log in enumerate(rounds)
        )
        for seed, rounds in logs.items()
    }
    first, *others = pictures.items()
    return first[1] + "".join(wrap_collapsible(name, content) for name, content in others)


def _render_losses(log: TrainingLog, title: str) -> str:
    names = [name for name in log[0] if name not in ("step", "diagnostics")] if log else []
    ends = ", ".join(f"{name} from {log[0][name]:.3g} to {log[-1][name]:.3g}" for name in names)
    return charts.render_curves(
        {name: [(line["step"], line[name]) for line in log] for name in names}, f"{title}: {ends}"
    )
