"""Post-pre-training with language (Xu et al. 2022): what features are taught by, and how long."""

from dataclasses import dataclass, replace
from typing import Literal

from clip_ae.core.config.dataclass_config import key

# What features are called that nobody taught.
UNADAPTED = "plain"


@dataclass(frozen=True)
class FeatureAdapter:
    """A recipe. Runs that name it read what it makes in place of the rgb and flow features."""

    run: str = key(doc="run whose last round tells actions from background, with the dataset's first seed")
    mode: Literal["adapter", "encoder"] = key(
        "adapter", "what learns: a light network over frozen features, or the last blocks of I3D before it too"
    )
    align_to: Literal["prototypes", "images", "names"] = key(
        "prototypes", "what an action is tied to: its cluster's mean CLIP image, its own, or its class name's text"
    )
    trimmed_dataset: str | None = key(
        None, "dataset of trimmed clips: its annotated instances, not the run's, are the actions"
    )
    held_out_classes: tuple[str, ...] = key(
        (), "classes whose videos are left out, to be learnt from few examples later"
    )
    seed: int = key(0, "seed of initialisation and drawing", minimum=0)

    @property
    def uses_class_names(self) -> bool:
        """Beyond the unsupervised setting: said wherever the recipe's figures stand."""
        return self.align_to == "names"

    @property
    def description(self) -> str:
        """What every table says of its features."""
        tied = "uses class names" if self.uses_class_names else f"tied to {self.align_to}"
        left_out = f", {len(self.held_out_classes)} classes left out by annotations" if self.held_out_classes else ""
        return f"post-pretrained {self.mode}, {tied}{left_out}"


@dataclass(frozen=True)
class FewShotEvaluation:
    """Episodes that score how well classes are localized of which a few examples are known."""

    feature_adapters: tuple[str, ...] = key(doc="entries of `feature_adapters` to score beside plain features")
    ways: int = key(2, "classes an episode, among those that the recipes leave out", minimum=1)
    shots: tuple[int, ...] = key((1, 5), "examples of each class", minimum=1)
    episodes: int = key(100, "episodes; every row and every number of shots sees the same ones", minimum=2)
    seed: int = key(0, "seed of the drawing", minimum=0)


@dataclass(frozen=True)
class I3dFinetuning:
    """How the last blocks of a stream's I3D are tuned before its features are made again; `mode: encoder` alone."""

    blocks: int = key(2, "Inception modules that learn, counted from the last; those before stay", minimum=1, maximum=9)
    steps: int = key(2000, "steps", minimum=1)
    batch_size: int = key(16, "synthesised sequences a step", minimum=1)
    learning_rate: float = key(1e-5, "AdamW's peak learning rate of the blocks; the network above has its own", above=0)
    max_snippets: int = key(
        20_000,
        "snippets at most, drawn at random, whose way up to the blocks is kept in memory: 160 kB each",
        minimum=1,
    )
    precision: Literal["fp32", "bf16"] = key("fp32", "fp32, or bf16: autocast of the blocks, for GPUs")
    activation_checkpointing: bool = key(
        False, "the blocks work twice and keep nothing in between: half the memory for half more time"
    )


@dataclass(frozen=True)
class AdapterTraining:
    """How long and how fast features are taught."""

    steps: int = key(6000, "steps", minimum=1)
    batch_size: int = key(16, "synthesised sequences a step", minimum=1)
    actions_per_sequence: int = key(3, "actions that are pasted into each, between stretches of background", minimum=1)
    max_action_snippets: int = key(10, "snippets; of a longer action a random part is pasted", minimum=1)
    width: int = key(512, "length of the joint space, by which a feature gets longer", minimum=1)
    learning_rate: float = key(1e-4, "AdamW's peak learning rate", above=0)
    dropout: float = key(0.3, "share of feature values hidden while learning", minimum=0, maximum=0.99)
    temperature: float = key(0.07, "of the contrast, at the start where it is learned", above=0)
    learned_temperature: bool = key(True, "the temperature is learned")
    tuning: I3dFinetuning = key(I3dFinetuning(), "how I3D's last blocks are tuned, for recipes of mode `encoder`")

    @property
    def without_tuning(self) -> "AdapterTraining":
        """Without what concerns the blocks."""
        return replace(self, tuning=I3dFinetuning())

    @property
    def for_tuning(self) -> "AdapterTraining":
        """As long, and in batches as large, as the blocks are tuned."""
        return replace(self, steps=self.tuning.steps, batch_size=self.tuning.batch_size)
