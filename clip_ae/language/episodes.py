"""Episodes of few-shot localization: some classes, support examples of each, and the test videos that show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clip_ae.core.errors import UserError
from clip_ae.core.types import Annotation
from clip_ae.language.spans import Span

# The instances in training videos, by class.
SupportPool = Mapping[str, Sequence[Span]]


@dataclass(frozen=True)
class Episode:
    """The classes, and the support examples of each, in order: k shots are the first k."""

    classes: tuple[str, ...]
    support_examples: tuple[tuple[Span, ...], ...]

    def support_set(self, shots: int) -> list[Span]:
        """The first `shots` examples of each class; class_id n is the nth class of the episode, from 1."""
        return [
            replace(span, class_id=n)
            for n, examples in enumerate(self.support_examples, start=1)
            for span in examples[:shots]
        ]


def sample_episode(pool: SupportPool, ways: int, shots: int, seed: int, episode_index: int) -> Episode:
    """The episode of an index. It does not depend on the adapter; fewer shots are the first of more shots."""
    rng = np.random.default_rng([seed, episode_index])
    names = sorted(pool)
    classes = tuple(names[i] for i in sorted(rng.choice(len(names), ways, replace=False)))
    examples = [tuple(pool[name][i] for i in rng.permutation(len(pool[name]))[:shots]) for name in classes]
    return Episode(classes, tuple(examples))


def check_episodes(pool: SupportPool, test: Mapping[str, Annotation], ways: int, shots: int) -> None:
    """Check that all episodes are possible: enough classes, enough instances, a test video for each class."""
    if len(pool) < ways:
        raise UserError(f"fewshot.ways: {ways}, but only {len(pool)} classes can be drawn; set fewer ways")
    test_labels = {instance.label for annotation in test.values() for instance in annotation.instances}
    for name, spans in pool.items():
        if len(spans) < shots:
            raise UserError(
                f"fewshot.shots: {shots}, but '{name}' has {len(spans)} instances in training videos; set fewer shots"
            )
        if name not in test_labels:
            raise UserError(f"fewshot: no test video shows '{name}'; episodes need a test video of each class")


def select_query_videos(test: Mapping[str, Annotation], classes: Sequence[str]) -> dict[str, Annotation]:
    """The test videos that show any of the classes, with the instances of these classes only."""
    instances = {i: tuple(x for x in annotation.instances if x.label in classes) for i, annotation in test.items()}
    return {i: replace(test[i], instances=selected) for i, selected in instances.items() if selected}
