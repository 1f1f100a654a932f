"""Feature adapters: post-pre-training with language (Xu et al. 2022), its data and its schedule."""

from dataclasses import dataclass, replace
from typing import Literal

from clip_ae.core.config.dataclass_config import key

# Name of the extracted features in few-shot tables.
UNADAPTED = "plain"


@dataclass(frozen=True)
class FeatureAdapter:
    """A feature adapter. Runs that name it read its output in place of the cbp features."""

    run: str = key(doc="run whose last round (first seed) separates actions from background")
    mode: Literal["adapter", "encoder"] = key(
        "adapter", "what is trained: a small network on frozen features, or also the last blocks of I3D"
    )
    align_to: Literal["prototypes", "images", "names"] = key(
        "prototypes",
        "contrastive target of an action: its cluster's mean CLIP image, its own CLIP image, or its class name's text",
    )
    trimmed_dataset: str | None = key(
        None, "dataset of trimmed clips whose annotated instances replace the run's actions"
    )
    held_out_classes: tuple[str, ...] = key((), "classes whose videos are excluded, for few-shot tests")
    seed: int = key(0, "seed of initialisation and sampling", minimum=0)

    @property
    def uses_class_names(self) -> bool:
        """Whether it leaves the unsupervised setting: every table that shows its scores says so."""
        return self.align_to == "names"

    @property
    def description(self) -> str:
        """Its description in tables."""
        target = "uses class names" if self.uses_class_names else f"aligned to {self.align_to}"
        held_out = f", {len(self.held_out_classes)} classes held out by annotations" if self.held_out_classes else ""
        return f"post-pretrained {self.mode}, {target}{held_out}"


@dataclass(frozen=True)
class FewShotEvaluation:
    """Few-shot episodes: classes with a few support examples are localized in test videos."""

    feature_adapters: tuple[str, ...] = key(
        doc="entries of `feature_adapters` to score, one table row each; extracted features have a row too"
    )
    ways: int = key(2, "classes an episode, drawn among the held-out classes", minimum=1)
    shots: tuple[int, ...] = key((1, 5), "examples of each class", minimum=1)
    episodes: int = key(100, "number of episodes; the same ones for every row and every number of shots", minimum=2)
    seed: int = key(0, "seed of the episodes", minimum=0)


@dataclass(frozen=True)
class I3dFinetuning:
    """Fine-tuning of the last blocks of a stream's I3D; for `mode: encoder`."""

    blocks: int = key(
        2, "Inception modules to train, counted from the last; those before are frozen", minimum=1, maximum=9
    )
    steps: int = key(2000, "steps", minimum=1)
    batch_size: int = key(16, "synthesised sequences per step", minimum=1)
    learning_rate: float = key(
        1e-5, "AdamW's peak learning rate of the blocks; the network above them has its own", above=0
    )
    max_snippets: int = key(
        20_000,
        "snippets at most, drawn at random, kept in memory as the blocks read them: 160 to 800 kB each",
        minimum=1,
    )
    precision: Literal["fp32", "bf16"] = key("fp32", "fp32, or bf16: autocast of the blocks, for GPUs")
    activation_checkpointing: bool = key(
        False, "recompute activations in the backward pass: half the memory for half more time"
    )


@dataclass(frozen=True)
class AdapterTraining:
    """Training of the adapter network."""

    steps: int = key(6000, "steps", minimum=1)
    batch_size: int = key(16, "synthesised sequences per step", minimum=1)
    actions_per_sequence: int = key(3, "actions pasted into each sequence, between spans of background", minimum=1)
    max_action_snippets: int = key(10, "snippets; a random part of a longer action is pasted", minimum=1)
    width: int = key(512, "dimension of the joint space: an adapted feature is longer by it", minimum=1)
    learning_rate: float = key(1e-4, "AdamW's peak learning rate", above=0)
    dropout: float = key(0.3, "dropout of feature values", minimum=0, maximum=0.99)
    temperature: float = key(
        0.07, "temperature of the contrastive loss; its initial value where it is learned", above=0
    )
    learned_temperature: bool = key(True, "learn the temperature")
    tuning: I3dFinetuning = key(I3dFinetuning(), "fine-tuning of I3D's last blocks, for adapters of mode `encoder`")

    @property
    def without_tuning(self) -> "AdapterTraining":
        """The same without the fine-tuning settings."""
        return replace(self, tuning=I3dFinetuning())

    @property
    def for_tuning(self) -> "AdapterTraining":
        """The same with the steps and batch size of the fine-tuning."""
        return replace(self, steps=self.tuning.steps, batch_size=self.tuning.batch_size)
