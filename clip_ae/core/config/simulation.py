"""The simulated benchmark: its settings and its video ids. docs/simulation.md has the reason for each."""

from dataclasses import dataclass

from clip_ae.core.config.dataclass_config import key

# Dimension of the latent space of classes, scenes and noise in every stream: the minimum of every stream's dimension.
LATENT_DIM = 32
# Number of shards of each stream.
SIMULATED_SHARDS = 4
# The streams that a world generates.
SIMULATED_STREAMS = ("rgb", "flow", "clip", "audio")


@dataclass(frozen=True)
class SimulatedWorld:
    """Generated features with the properties that the CLIP-AE paper claims; by default shaped like THUMOS14.

    Strengths are norms relative to an action's full response, which is 1. A spread is the sd of the logarithm.
    """

    seed: int = key(0, "seed of everything that is drawn", minimum=0)
    train_videos: int = key(200, "training videos", minimum=1)
    test_videos: int = key(212, "test videos", minimum=1)

    classes: int = key(20, "action classes", minimum=2)
    group_size: int = key(4, "classes in a group of related ones", minimum=1)
    twins: int = key(1, "groups whose first class is always annotated as the second as well", minimum=0)
    second_label: float = key(0.1, "share of videos that mix in a related class", minimum=0, maximum=1)
    class_imbalance: float = key(0.15, "spread of the number of videos over classes", minimum=0)

    instances: float = key(8.0, "median number of instances in a video", above=0)
    instances_spread: float = key(1.12, "spread of that number over videos", minimum=0)
    instance_seconds: float = key(3.2, "seconds; median length of an instance", above=0)
    instance_spread: float = key(0.84, "spread of that length over instances", minimum=0)
    instance_longest: float = key(120.0, "seconds; no instance is longer", minimum=1)
    gap_seconds: float = key(2.8, "seconds; median gap between two instances", above=0)
    gap_spread: float = key(1.4, "spread of the gap", minimum=0)
    margin_seconds: float = key(9.7, "seconds; median time before the first and after the last instance", above=0)
    margin_spread: float = key(1.4, "spread of that time", minimum=0)
    video_longest: float = key(1800.0, "seconds; instances after the first that stop later are dropped", minimum=1)

    rgb_dim: int = key(128, "length of an rgb feature", minimum=LATENT_DIM)
    flow_dim: int = key(128, "length of a flow feature", minimum=LATENT_DIM)
    clip_dim: int = key(64, "length of a clip feature", minimum=LATENT_DIM)
    audio_dim: int = key(32, "length of an audio feature", minimum=LATENT_DIM)

    modes: int = key(1, "looks of a class in each stream; an instance has one of them", minimum=1)
    mode_cosine: float = key(0.5, "cosine between two looks of a class", minimum=0, maximum=1)
    phases: int = key(1, "phases of an action, one after the other and equally long", minimum=1)
    shared_phases: int = key(0, "number of phases, from the first on, that related classes share", minimum=0)
    variation: float = key(0.6, "strength by which instances differ from their class, half of it from their video")
    core_share: float = key(0.45, "share of an instance that is its core", above=0, maximum=1)
    core_jitter: float = key(0.15, "sd by which rgb and flow misplace the core, in units of its room", minimum=0)
    i3d_outer: float = key(0.25, "rgb's and flow's response outside the core", minimum=0, maximum=1)
    i3d_confusion: float = key(0.2, "cosine between related classes in rgb and flow", minimum=0, maximum=1)
    clip_extent: float = key(1.0, "share of an instance that clip covers; core_share is the core", above=0, maximum=1)
    clip_border: float = key(
        0.5,
        "seconds around a snippet that its clip feature includes, on each side: how soft its borders are",
        minimum=0,
    )
    clip_confusion: float = key(0.9, "cosine between related classes in clip", minimum=0, maximum=1)

    audio_helpful: float = key(0.5, "share of classes whose sound marks the extent", minimum=0, maximum=1)
    audio_misleading: float = key(0.25, "share of classes whose sound comes at any time", minimum=0, maximum=1)
    audio_agreement: float = key(
        0.75, "share of the sounds that follow their class; the others do the opposite", minimum=0, maximum=1
    )
    audio_border: float = key(0.4, "seconds that a sound starts before and stops after its extent", minimum=0)
    audio_missing: float = key(0.1, "share of videos without sound", minimum=0, maximum=1)

    distractors: float = key(3.0, "background events that resemble actions, a minute of background", minimum=0)
    distractor_strength: float = key(0.6, "strength of their features in rgb and flow", minimum=0)
    clip_distractors: float = key(0.3, "factor on it in clip", minimum=0)

    text_noise: float = key(
        0.5, "strength by which the text of a class's name departs from its look in clip", minimum=0
    )

    nuisance: float = key(1.0, "factor on scene, drift and noise together", minimum=0)
    scene: float = key(1.0, "strength of the scene, constant over a video", minimum=0)
    scene_class: float = key(0.27, "share of the scene's variance that is usual for the class", minimum=0, maximum=1)
    scene_confusion: float = key(0.5, "cosine between the usual scenes of related classes", minimum=0, maximum=1)
    flow_scene: float = key(0.4, "factor on the scene in flow", minimum=0)
    clip_scene: float = key(1.0, "factor on the scene in clip", minimum=0)
    audio_scene: float = key(0.5, "factor on the scene in audio, which is independent of the class", minimum=0)
    drift: float = key(0.98, "strength of slow change", minimum=0)
    drift_seconds: float = key(4.0, "seconds after which the autocorrelation of drift is 1/e", above=0)
    noise: float = key(0.64, "strength of the noise, independent in each snippet", minimum=0)

    def dim_of(self, stream: str) -> int:
        """Length of a stream's feature."""
        return {"rgb": self.rgb_dim, "flow": self.flow_dim, "clip": self.clip_dim, "audio": self.audio_dim}[stream]


def list_simulated_subsets(world: SimulatedWorld) -> dict[str, str]:
    """Subset by video id."""
    train = {f"sim_train_{i:04d}": "training" for i in range(world.train_videos)}
    return train | {f"sim_test_{i:04d}": "validation" for i in range(world.test_videos)}
