"""Episodes of few-shot localization: some classes, some examples of each, and the test videos that show any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clip_ae.core.errors import UserError
from clip_ae.core.types import Annotation
from clip_ae.language.spans import Span

# Of every class, its instances in training videos.
SupportPool = Mapping[str, Sequence[Span]]


@dataclass(frozen=True)
class Episode:
    """Every class's examples in an order: of k the first k are shown."""

    classes: tuple[str, ...]
    support_examples: tuple[tuple[Span, ...], ...]

    def support_set(self, shots: int) -> list[Span]:
        """Examples whose kind n is the nth class."""
        return [replace(s, class_id=n) for n, found in enumerate(self.support_examples, start=1) for s in found[:shots]]


def sample_episode(pool: SupportPool, ways: int, shots: int, seed: int, episode_index: int) -> Episode:
    """The episode of that number: the same whatever is localized, and whatever number of shots is asked for."""
    rng = np.random.default_rng([seed, episode_index])
    names = sorted(pool)
    classes = tuple(names[i] for i in sorted(rng.choice(len(names), ways, replace=False)))
    examples = [tuple(pool[name][i] for i in rng.permutation(len(pool[name]))[:shots]) for name in classes]
    return Episode(classes, tuple(examples))


def check_episodes(pool: SupportPool, test: Mapping[str, Annotation], ways: int, shots: int) -> None:
    """Before any episode: every one must be possible."""
    if len(pool) < ways:
        raise UserError(f"fewshot.ways: {ways} of {len(pool)} classes that can be drawn; ask for fewer")
    tested = {i.label for a in test.values() for i in a.instances}
    for name, spans in pool.items():
        if len(spans) < shots:
            raise UserError(f"fewshot.shots: {shots}, but '{name}' has {len(spans)} instances in training videos")
        if name not in tested:
            raise UserError(f"fewshot: no test video shows '{name}', which episodes would look for")


def select_query_videos(test: Mapping[str, Annotation], classes: Sequence[str]) -> dict[str, Annotation]:
    """The test videos that show any of the classes, and of what they show these classes alone."""
    kept = {i: tuple(x for x in a.instances if x.label in classes) for i, a in test.items()}
    return {i: replace(test[i], instances=instances) for i, instances in kept.items() if instances}
