"""Compute what the package's functions return for fixed inputs: losses, heads, networks, proposals, scoring.

In the root of the repository:
    python -m tests.golden.make_functions             make functions.npz and functions.json anew
    python -m tests.golden.make_functions --compare   compare with them, as tests/test_golden_functions.py does

All names of the package stand in the table below: after a move or a rename, edit the table and nothing else.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# ------------------------------------------------------------------------------------------------------------------
# The table of names: imports, and settings, fields, keys and keyword arguments that have names of the project.
from clip_ae.clustering import kmeans, mean_pool, num_clusters, spectral
from clip_ae.clustering import naming as cluster_names
from clip_ae.clustering.pooling import pool_descriptors
from clip_ae.clustering.quality import measure_quality
from clip_ae.clustering.relabel import relabel_by_appearance
from clip_ae.core import types
from clip_ae.core.config import feature_adapters as adapter_config
from clip_ae.core.config import methods, schema, simulation, streams, training
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.timeline import SnippetGrid
from clip_ae.encoders.flows import dis, raft, tvl1, tvl1_torch
from clip_ae.encoders.log_mel import compute_log_mel
from clip_ae.encoders.networks import clip as clip_network
from clip_ae.encoders.networks import i3d as i3d_network
from clip_ae.encoders.networks import i3d_finetuning
from clip_ae.encoders.networks import raft as raft_network
from clip_ae.encoders.networks import vggish as vggish_network
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import clip as clip_stream
from clip_ae.encoders.streams import i3d as rgb_stream
from clip_ae.encoders.streams import i3d_flow as flow_stream
from clip_ae.encoders.streams import vggish as audio_stream
from clip_ae.encoders.text_encoder import TextTower
from clip_ae.language import embedding_space, few_shot, spans, text_query, training_spans
from clip_ae.language.adapter_training import contrastive_losses, create_joint_embedding
from clip_ae.language.episodes import sample_episode
from clip_ae.language.sequences import SequenceSampler
from clip_ae.localizers import attention_pool, feature_table, inference
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.model_state import module_arrays
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import create_learner
from clip_ae.losses import class_pseudo
from clip_ae.losses.attention_pseudo import attention_pseudo_loss
from clip_ae.losses.background import background_loss
from clip_ae.losses.classification import classification_loss
from clip_ae.losses.clustering import clustering_loss
from clip_ae.losses.contrastive_loss import contrastive_loss
from clip_ae.losses.decor import decorrelation_loss
from clip_ae.losses.extent import extent_loss
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.guide import guide_loss
from clip_ae.losses.ins_dis import instance_discrimination_loss
from clip_ae.losses.masked_contrast import masked_contrastive_loss
from clip_ae.losses.masked_mean import masked_mean
from clip_ae.losses.norm import attention_norm_loss
from clip_ae.losses.pseudo_ground_truth import pseudo_ground_truth_loss
from clip_ae.losses.separation import separation_loss
from clip_ae.losses.smoothing import smooth
from clip_ae.losses.sparsity import sparsity_loss
from clip_ae.losses.triplet import triplet_loss
from clip_ae.media.audio import read_audio_windows
from clip_ae.proposals.localize import localize
from clip_ae.proposals.moments import rank_moments
from clip_ae.proposals.outer_inner_contrast import outer_inner_contrast
from clip_ae.proposals.segments import find_ranges_above, upsample
from clip_ae.proposals.soft_nms import soft_nms
from clip_ae.scoring import average_precision as ap
from clip_ae.scoring import bootstrap, mapping
from clip_ae.scoring import evaluate as scoring
from clip_ae.scoring.diagnosis import build_diagnosis
from clip_ae.scoring.eval_input import build_eval_input
from clip_ae.scoring.recall import compute_recall
from clip_ae.scoring.segments import make_segments
from clip_ae.worlds import simulated, simulated_events, trimmed, untrimmed
from tests.builders import roles_of
from tests.golden import arrays
from tests.golden.arrays import Array, Arrays, Machine

DECOR_FORMS = ("mean", "literal", "softmax")
UGCT = {"ugct": methods.UgctSwitches()}
SELF = methods.SelfSupervision()
BEHIND = {**UGCT, "fusion_input": "centred", "self_supervision": SELF}
CAF, CCP = {"caf": methods.CafSwitches()}, {"ccp": methods.CcpSwitches()}
# Name in the golden file: method and switches.
LOCALIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "stpn": ("stpn", {}),
    "wsal_bm": ("wsal_bm", {}),
    "tscn": ("tscn", {"tscn": methods.TscnSwitches()}),
    "tcam": ("tcam", {}),
    "apsl": ("apsl_reconstructed", {}),
    "oracle": ("oracle", {}),
    "ugct": ("ugct", UGCT),
    "ugct_tscn_soft_kl_dropout": (
        "ugct",
        {
            "ugct": methods.UgctSwitches(
                base_head="tscn", attention_targets="soft", class_targets="kl", uncertainty="dropout"
            )
        },
    ),
    "ugct_wsal_bm_half_mse_heads": (
        "ugct",
        {
            "ugct": methods.UgctSwitches(
                base_head="wsal_bm",
                attention_targets="half",
                class_targets="mse",
                uncertainty="heads",
                ramp_norm_loss=False,
            )
        },
    ),
    "ugct_stpn_certain": (
        "ugct",
        {
            "ugct": methods.UgctSwitches(
                base_head="stpn",
                uncertainty="none",
                uncertainty_weight=0.1,
                ramp_fraction=0.6,
                ema_decay=0.5,
                warmup_fraction=0.3,
            )
        },
    ),
    "caf": ("clip_ae", {**BEHIND, **CAF}),
    "ccp": ("clip_ae", {**BEHIND, **CCP}),
    "clip_ae": ("clip_ae", {**BEHIND, **CAF, **CCP}),
    "clip_ae_residual": (
        "clip_ae",
        {
            **UGCT,
            **CAF,
            **CCP,
            "fusion_input": "residual",
            "self_supervision": methods.SelfSupervision(decor="literal"),
        },
    ),
    "clip_ae_other_readings": (
        "clip_ae",
        {
            **UGCT,
            "caf": methods.CafSwitches(
                num_layers=1, scale=20.0, normalized_values=True, layer_norm=True, audio_to="first"
            ),
            "ccp": methods.CcpSwitches(shared_qk=True, residual=True),
            "fusion_input": "layer_norm",
            "self_supervision": methods.SelfSupervision(
                decor="softmax", centred=True, pairing="cross", temperature=0.5, momentum=0.9
            ),
        },
    ),
}


def localizer_config(method: str, dims: Mapping[str, int], switches: Mapping[str, Any]) -> Any:
    labels = tuple(f"cluster-{k:02d}" for k in range(CLASSES))
    return methods.LocalizerConfig(
        method=method,
        roles=roles_of(dims),
        dims=dict(dims),
        labels=labels,
        width=8,
        dropout=0.3,
        num_videos=VIDEOS,
        **switches,
    )


def streams_of(switches: Mapping[str, Any]) -> list[str]:
    return ["rgb", "flow", *(["clip"] if switches.get("ccp") else []), *(["audio"] if switches.get("caf") else [])]


# Name in the golden file: field of a stream's output, and of fused curves.
STREAM_FIELDS = {"attention": "attention", "cas": "cas", "logits": "foreground_logits", "embedding": "embedding"}
CURVE_FIELDS = {"attention": "attention", "activation": "activation", "scores": "scores"}
# Name of a loss: name in the golden file, if another.
LOSSES = {"pseudo_truth": "pseudo_ground_truth"}
LOCALIZATIONS = {
    "shares": training.Localization(
        class_threshold=0.1, activation_thresholds=(0.1, 0.3, 0.5, 0.7, 0.9), attention_thresholds=()
    ),
    "attention": training.Localization(
        class_threshold=0.3, activation_thresholds=(0.2, 0.5, 0.8), attention_thresholds=(0.2, 0.4, 0.6), upsampling=10,
        outer_margin=0.5,
        video_score_weight=0.4, soft_nms_sigma=0.5, min_score=0.01,
    ),
}  # fmt: skip
TIOU = (0.1, 0.3, 0.5, 0.7)
# Name of a protocol: seconds of the grid that ends of segments are rounded to.
PROTOCOLS: dict[Any, float | None] = {
    "activitynet": None, "non-interpolated": 0.1, "thumos14-2014": None, "thumos14-2015": None,
}  # fmt: skip
EVALUATIONS = {
    name: schema.Evaluation(
        tiou=TIOU,
        tiou_ranges=("0.1:0.5", "0.3:0.7"),
        protocol=name,
        bootstrap_samples=15,
        chance_permutations=3,
        round_to_grid=grid,
    )
    for name, grid in PROTOCOLS.items()
}
MAPPINGS = {
    "soft": mapping.soft_majority, "hard": mapping.hard_majority, "one_to_one": mapping.hungarian,
}  # fmt: skip


def eval_input(test: Any, train: Any, labels: Any, found: Any) -> Any:
    return build_eval_input(test, train, labels, found)


score_clusters, score_classes, chance = scoring.score_clusters, scoring.score_classes, scoring.score_chance
# Key of a result of scoring: name in the golden file, if another. Then the keys that are left out.
KEYS_IN_SCORES = {"headline": "main"}
SKIPPED = ("truth", "protocol")
WORLD = simulation.SimulatedWorld(train_videos=4, test_videos=2, classes=6, group_size=3, video_longest=30.0)
DEMO = schema.DemoWorld(seed=0, train_videos=5, test_videos=2, seconds_min=4, seconds_max=5)
ADAPTER = adapter_config.AdapterTraining(
    batch_size=3, actions_per_sequence=2, max_action_snippets=3, width=5, dropout=0.3
)
TUNING = adapter_config.I3dFinetuning(blocks=2)
I3D = {"rgb": schema.I3dOptions(3, 0.125, 36, 32, 5), "flow": schema.I3dOptions(2, 0.125, 36, 32, 5)}
RGB, CLIP = streams.I3dEncoder(), streams.ClipEncoder(frames=4)
FLOW = streams.I3dFlowEncoder(algorithm="dis", clip_value=2.0)
AUDIO = streams.VggishEncoder(relu=True, pca="pca")
VGGISH, PCA = schema.VggishOptions(width=0.125, classes=3), schema.VggishPcaOptions(dim=16)
TINY, RAFT = schema.ClipOptions("tiny"), schema.RaftOptions("small")
# ------------------------------------------------------------------------------------------------------------------

GOLDEN, MACHINE = Path(__file__).with_name("functions.npz"), Path(__file__).with_name("functions.json")
THREADS = 1
VIDEOS, CLASSES, SNIPPETS = 5, 4, 11
# Real snippets of each video; one video has none.
LENGTHS = (11, 7, 9, 0, 3)
DIMS: dict[Any, int] = {"rgb": 10, "flow": 9, "clip": 7, "audio": 6}
GRID = SnippetGrid()
# On another kind of machine a float may differ by this share of the largest value of its array.
SHARE, HALF = 1e-4, 2e-3
SHARES = {"flows/raft": 5e-3, "networks/flow": 5e-3, "networks/audio_pca": 1 / 255}
# TV-L1 stops when an update is small enough: a difference in the last bit may cost or save an iteration.
STOPPING = ("flows/tvl1", "flows/tvl1_torch")
PIXELS = 0.1
Floats = NDArray[np.float64]


def compute() -> Arrays:
    """All golden arrays by name, computed on one thread."""
    found: Arrays = {}
    with _one_thread(), torch.random.fork_rng():
        for part, function in PARTS.items():
            found |= {f"{part}/{name}": np.asarray(array) for name, array in function()}
    return found


def compare(golden: Mapping[str, Array], found: Mapping[str, Array], golden_machine: Machine) -> list[str]:
    """A line for each difference: bit for bit on the kind of machine that made the golden file, else by `elsewhere`."""
    return arrays.differences(golden, found, arrays.exact if arrays.machine(THREADS) == golden_machine else elsewhere)


def elsewhere(name: str, golden: Array, found: Array) -> str | None:
    """Rule for another kind of machine.

    Measured with the vector instructions of older processors (AVX2, and SSE alone): float32 values moved by up to 2e-6
    of the largest value of their array, RAFT and the features of flow by 1e-4. SHARE leaves a factor of 50.
    """
    if name in STOPPING:
        wrong = arrays.form(golden, found)
        difference = float(np.abs(golden - found).mean()) if not wrong else 0.0
        return f"differs by {difference:.3g} pixels on average" if difference > PIXELS else wrong
    if golden.dtype == np.uint8 and not arrays.form(golden, found):
        steps = int(np.abs(golden.astype(int) - found.astype(int)).max())
        return f"differs by {steps} of 255" if steps > 2 else None
    return arrays.near(golden, found, SHARES.get(name, SHARE if golden.dtype != np.float16 else HALF))


Found = Iterator[tuple[str, Any]]


def losses() -> Found:
    """Every loss in float64 and float32, with its gradients."""
    for dtype in (torch.float64, torch.float32):
        bits = str(dtype).removeprefix("torch.float")
        for name, function in _losses(dtype).items():
            inputs = function.inputs
            value = function.loss(*inputs)
            yield f"{name}/{bits}/value", value.detach().numpy()
            learned = [x for x in inputs if x.is_floating_point()]
            # The gradient of a plain sum would hide how single outputs depend on the input.
            total = value if value.ndim == 0 else value.square().sum()
            for number, gradient in enumerate(torch.autograd.grad(total, learned, allow_unused=True)):
                if gradient is not None:
                    yield f"{name}/{bits}/gradient_{number}", gradient.numpy()


class _Loss:
    """A loss with its input tensors."""

    def __init__(self, loss: Callable[..., Tensor], *inputs: Tensor) -> None:
        self.loss, self.inputs = loss, [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]


def _losses(dtype: torch.dtype) -> dict[str, _Loss]:
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(rng.normal(size=shape)).to(dtype)

    def uniform(*shape: int) -> Tensor:
        return torch.from_numpy(rng.uniform(0.05, 0.95, size=shape)).to(dtype)

    mask, labels = _mask(), torch.from_numpy(_labels()).to(dtype)
    cas, x, attention = normal(VIDEOS, SNIPPETS, CLASSES), normal(VIDEOS, SNIPPETS, 6), uniform(VIDEOS, SNIPPETS)
    with_background, target = normal(VIDEOS, SNIPPETS, CLASSES + 1), (uniform(VIDEOS, SNIPPETS) > 0.5).to(dtype)
    doubt, extents = uniform(VIDEOS, SNIPPETS), (uniform(VIDEOS, SNIPPETS, CLASSES) > 0.7).to(dtype)
    unit = nn.functional.normalize
    kinds = torch.tensor([0, 1, 2, 1, 0, 3])
    found = {
        "attention_pseudo": _Loss(lambda a, g, u: attention_pseudo_loss(a, g, u, mask, 0.2), attention, target, doubt),
        "background": _Loss(background_loss, normal(VIDEOS, CLASSES + 1)),
        "class_pseudo_kl": _Loss(lambda p, q, u: class_pseudo.kl_loss(p, q, u, mask), cas, normal(*cas.shape), doubt),
        "class_pseudo_mse": _Loss(lambda p, q, u: class_pseudo.mse_loss(p, q, u, mask), cas, normal(*cas.shape), doubt),
        "classification": _Loss(lambda v: classification_loss(v, labels), normal(VIDEOS, CLASSES)),
        "clustering": _Loss(clustering_loss, normal(VIDEOS, 2, 2)),
        "contrast": _Loss(lambda f, a: contrastive_loss(f, a, labels, mask), x, attention),
        "extent": _Loss(lambda s: extent_loss(s, extents, mask), cas),
        "foreground": _Loss(lambda v: foreground_loss(v, labels), normal(VIDEOS, CLASSES)),
        "foreground_with_background": _Loss(lambda v: foreground_loss(v, labels), normal(VIDEOS, CLASSES + 1)),
        "guide": _Loss(lambda a, p: guide_loss(a, p.softmax(dim=-1), labels, mask), attention, with_background),
        "ins_dis": _Loss(
            lambda z, m: instance_discrimination_loss(
                unit(z, dim=1), unit(m, dim=1), torch.tensor([3, 0, 4, 1, 2]), 0.7
            ),
            normal(VIDEOS, 6),
            normal(VIDEOS, 6),
        ),
        "masked_contrast": _Loss(lambda s: masked_contrastive_loss(s, kinds), normal(6, 6)),
        "masked_mean": _Loss(lambda a: masked_mean(a, mask), attention),
        "norm": _Loss(lambda a: attention_norm_loss(a, mask), attention),
        "pseudo_ground_truth": _Loss(lambda a: pseudo_ground_truth_loss(a, target, mask), attention),
        "separation": _Loss(lambda s, f: separation_loss(s, f, labels, mask), cas, x),
        "smoothing": _Loss(lambda v: smooth(v, mask), cas),
        "sparsity": _Loss(lambda a: sparsity_loss(a, mask), attention),
        "triplet": _Loss(lambda f: triplet_loss(f, labels, mask.any(dim=1)), normal(VIDEOS, 6)),
    }
    for form in DECOR_FORMS:
        for centred in (False, True):
            found[f"decor_{form}_{'centred' if centred else 'plain'}"] = _Loss(_decor(mask, form, centred), x)
    return found


def _decor(mask: Tensor, form: str, centred: bool) -> Callable[[Tensor], Tensor]:
    return lambda x: decorrelation_loss(x, mask, form, centred=centred)


def localizers() -> Found:
    """Every head and method: a few steps of training by hand, then inference."""
    for name, (method, switches) in LOCALIZERS.items():
        dims = {stream: DIMS[stream] for stream in streams_of(switches)}
        learner = create_learner(localizer_config(method, dims, switches), 4, 3)
        batch, truth = _batch(dims), _truth()
        rows = []
        for step in range(1, 5):
            torch.manual_seed(step)
            learner.train()
            output = learner.localizer(batch)
            found = learner.losses(output, batch, truth, step)
            total = torch.stack([learner.loss_weights[loss] * value for loss, value in found.items()]).sum()
            learner.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for parameter in learner.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(0.05 * parameter.grad)
            learner.after_step(output, truth, step)
            rows.append({LOSSES.get(loss, loss): value.item() for loss, value in found.items()})
        names = sorted(rows[0])
        yield f"{name}/losses", np.array(names)
        yield f"{name}/loss", np.array([[row[loss] for loss in names] for row in rows])
        yield f"{name}/weights", np.array([learner.loss_weights[loss] for loss in sorted(found)])
        state = {n: np.array(t) for n, t in module_arrays(learner).items()}
        yield f"{name}/parameters", np.sort([math.fsum(t.astype(float).ravel().tolist()) for t in state.values()])
        with torch.inference_mode():
            yield from ((f"{name}/student/{n}", x) for n, x in _inferred(learner.localizer.eval(), batch))
            yield from ((f"{name}/trained/{n}", x) for n, x in _inferred(learner.final_localizer.eval(), batch))


def _inferred(localizer: Any, batch: Batch) -> Found:
    output = localizer(batch)
    for stream, one in output.streams.items():
        yield f"{stream}/features", output.features[stream].numpy()
        yield from ((f"{stream}/{name}", getattr(one, field).numpy()) for name, field in STREAM_FIELDS.items())
    fused = localizer.fuse(output, batch.masks, {"rgb": 0.4, "flow": 0.6})
    yield from ((f"fused/{name}", getattr(fused, field).numpy()) for name, field in CURVE_FIELDS.items())


def descriptors() -> Found:
    """Descriptors of videos, clusters, and the inputs of training and inference."""
    streams = _streams(9)
    main = {name: streams[name] for name in ("rgb", "flow")}
    z = pool_descriptors(*mean_pool.prepare_pooling(main))
    yield "mean", z
    switches = LOCALIZERS["clip_ae"][1]
    dims = {stream: DIMS[stream] for stream in streams_of(switches)}
    learner = create_learner(localizer_config("clip_ae", dims, switches), 4, 0)
    for number, parameter in enumerate(learner.parameters()):
        torch.manual_seed(number)
        parameter.data += 0.3 * torch.randn(parameter.shape)
    known = {"localizer_config": to_plain_data(localizer_config("clip_ae", dims, switches))}
    tensors = module_arrays(learner.localizer)
    for name, use_fused in (("attended", False), ("fused", True)):
        pooling_inputs = attention_pool.prepare_pooling(
            streams, tensors, known, "cpu", use_fused=use_fused, descriptor_weights="softmax"
        )
        yield name, pool_descriptors(*pooling_inputs)
    table = feature_table.FeatureTable(streams, "cpu")
    for video in ("v0", "v8"):
        curves = inference.predict_video(
            learner.localizer.eval(), table, video, stream_weights={"rgb": 0.6, "flow": 0.4}
        )
        yield from ((f"curves/{video}/{name}", getattr(curves, field)) for name, field in CURVE_FIELDS.items())
    network = types.NetworkWeights(known, tensors)
    labels = [types.Label(v, number % CLASSES, f"c{number % CLASSES}") for number, v in enumerate(streams["rgb"])]
    collected_spans = training_spans.collect_run_spans(network, labels, streams, "cpu")
    yield "actions", [[int(span.video_id[1:]), span.first, span.end, span.class_id] for span in collected_spans.actions]
    yield (
        "background",
        [[int(span.video_id[1:]), span.first, span.end, span.class_id] for span in collected_spans.background],
    )
    for text in ("images", "prototypes"):
        yield (
            f"tied_to_{text}",
            training_spans.contrastive_targets(
                collected_spans, text, "clip", lambda names: np.zeros((len(names), 3), np.float32)
            ),
        )
    yield "sampled", np.stack([feature_table.sample_snippets(50, 8, np.random.default_rng(seed)) for seed in range(3)])
    order = [feature_table.select_batch_videos([str(k) for k in range(7)], 3, step, 5) for step in range(6)]
    yield "order", np.array(order).astype(int)
    segments = [types.Label("v1", 2, "c2", ((0.5, 3.0), (4.0, 4.2))), types.Label("v2", 0, "c0")]
    rows = {"v1": np.arange(0, 12, 2), "v2": np.arange(5)}
    truth = TargetBuilder(segments, ["v1", "v2"], 3, GRID).build_targets(table.batch(["v1", "v2"], rows), rows)
    yield "targets/labels", truth.labels.numpy()
    yield "targets/videos", truth.video_indices.numpy()
    assert truth.snippet_labels is not None
    yield "targets/extents", truth.snippet_labels.numpy()
    points = np.random.default_rng(1).normal(size=(24, 6)) + 3 * np.repeat(np.eye(6)[:4], 6, axis=0)
    yield "affinity", spectral.affinity_matrix(points)
    for name, module in (("spectral", spectral), ("kmeans", kmeans)):
        for seed in (0, 1):
            yield f"{name}/{seed}", relabel_by_appearance(module.prepare(points, seed)(4))
        curve = num_clusters.compute_silhouettes(points, module.prepare(points, 0), 0)
        yield f"{name}/silhouettes", [[k, value] for k, value in curve.items()]
        yield f"{name}/chosen", num_clusters.choose_num_clusters(curve)
    quality = measure_quality([0, 0, 1, 1, 2, 2, 2, 3], ["a", "a", "b", "a", "c", "c", "b", "a"])
    yield "quality", np.array(list(to_plain_data(quality).values()), np.float64)
    attended = {
        video: types.VideoCurves(
            np.random.default_rng(k).random(len(streams["rgb"][video].feature)).tolist(),
            {label: np.random.default_rng((k, j)).random(len(streams["rgb"][video].feature)).tolist()
             for j, label in enumerate(("c0", "c1"))},
        )
        for k, video in enumerate(("v0", "v1", "v2", "v4"))
    }  # fmt: skip
    words = np.random.default_rng(2).normal(size=(5, DIMS["clip"])).astype(np.float32)
    for label, look in cluster_names.compute_cluster_features(streams["clip"], attended).items():
        yield f"looks/{label}", look
        ranked = cluster_names.rank_names(look, words, [str(k) for k in range(5)], 10.0)
        yield f"named/{label}", np.array([[float(name), p] for name, p in ranked])


def networks() -> Found:
    """Encoders with random weights on fixed pictures and sound: `prepare`, then `encode`."""
    frames = _frames(2 * 17, 36, 48).reshape(2, 17, 36, 48, 3)
    networks = {name: _network("i3d", i3d_network.build(options), options) for name, options in I3D.items()}
    rgb = rgb_stream.build_stream(RGB, [networks["rgb"]], "cpu")
    yield "rgb", rgb.encode(np.stack([rgb.prepare(video[:16]) for video in frames]))
    flow = flow_stream.build_stream(FLOW, [networks["flow"]], "cpu")
    prepared = np.stack([flow.prepare(video) for video in frames])
    yield "flow", flow.encode(prepared)
    whole = i3d_network.build(I3D["rgb"]).eval()
    whole.load_state_dict({n: torch.from_numpy(t) for n, t in networks["rgb"].tensors.items()}, strict=False)
    clips = torch.from_numpy(frames[:, :16, 2:34, 8:40].astype(np.float32) / 127.5 - 1).permute(0, 4, 1, 2, 3)
    with torch.inference_mode():
        yield "i3d_logits", whole(clips).numpy()
    cut = rgb_stream.build_stream(RGB, [networks["rgb"]], "cpu", TUNING.blocks)
    read = cut.encode(np.stack([cut.prepare(video[:16]) for video in frames]))
    yield "i3d_before", read
    blocks = i3d_finetuning.TunedBlocks(
        whole, i3d_finetuning.compute_trunk_shape(I3D["rgb"], TUNING.blocks, 16), TUNING
    )
    with torch.inference_mode():
        yield "i3d_blocks", blocks(torch.from_numpy(read)).numpy()
    torch.manual_seed(0)
    clip = types.NetworkWeights({"clip": to_plain_data(TINY)}, get_tensors(clip_network.build(TINY)))
    images = clip_stream.build_stream(CLIP, [clip], "cpu")
    pictures = _frames(2 * 16, 72, 80).reshape(2, 16, 72, 80, 3)
    yield "clip", images.encode(np.stack([images.prepare(video[2::4]) for video in pictures]))
    tower = TextTower(clip, "cpu")
    yield "texts", tower.embed(["a red ball bouncing", "nothing"])
    yield "words", tower.embed_words([["ball"], ["card", "flipping card"]], ["a {}", "a photo of a {}"])
    yield "text_scale", np.array(tower.logit_scale)
    vggish = _network("vggish", vggish_network.build(VGGISH), VGGISH)
    rng = np.random.default_rng(3)
    vectors = np.linalg.qr(rng.normal(size=(PCA.dim, PCA.dim)))[0].astype(np.float32)
    means = rng.normal(size=PCA.dim).astype(np.float32)
    pca = types.NetworkWeights({"vggish_pca": to_plain_data(PCA)}, {"pca_eigen_vectors": vectors, "pca_means": means})
    sound = rng.normal(0, 0.2, (2, 15600)).astype(np.float32)
    plain_audio = audio_stream.build_stream(streams.VggishEncoder(), [vggish], "cpu")
    yield "audio", plain_audio.encode(np.stack([plain_audio.prepare(samples) for samples in sound]))
    audio = audio_stream.build_stream(AUDIO, [vggish, pca], "cpu")
    yield "audio_pca", audio.encode(np.stack([audio.prepare(samples) for samples in sound]))


def flows() -> Found:
    """Optical flow of a texture that moves."""
    frames = torch.from_numpy(_frames(3, 48, 64)[None])
    for name, module in (("dis", dis), ("tvl1", tvl1), ("tvl1_torch", tvl1_torch)):
        yield name, module.build("cpu")(frames).numpy()
    network = _network("raft", raft_network.build(RAFT), RAFT)
    with torch.inference_mode():
        yield "raft", raft.build("cpu", network)(frames[:, :2]).numpy()


def sounds() -> Found:
    """Log-mel, and the windows of a sound file on the snippet grid."""
    rng = np.random.default_rng(4)
    yield "log_mel", compute_log_mel(rng.normal(0, 0.1, (2, 15600)).astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.mkv"
        steps = rng.integers(-900, 901, (2 * 44100, 2)).cumsum(axis=0)
        _write_video(path, (np.abs((steps + 12000) % 48000 - 24000) - 12000).astype(np.int16))
        info = types.VideoInfo("sound", str(path), duration=2.4, snippets=4, has_audio=True, audio_rate=44100)
        windows = [(w.data.copy(), w.coverage, w.loudness) for w in read_audio_windows(str(path), info, GRID)]
    # Every fortieth sample is enough to see a change of phase or of loudness.
    yield "window", np.stack([data[::40] for data, _, _ in windows])
    yield "window_sum", np.array([math.fsum(data.astype(float).tolist()) for data, _, _ in windows])
    yield "coverage", np.array([coverage for _, coverage, _ in windows])
    yield "loudness", np.array([loudness for _, _, loudness in windows])


def proposals() -> Found:
    """Segments from curves."""
    rng = np.random.default_rng(5)
    attention = np.clip(np.convolve(rng.random(44), np.ones(5) / 5, "valid"), 0, 1)
    activation = np.stack([np.convolve(rng.random(44), np.ones(5) / 5, "valid") for _ in range(3)], axis=1)
    for name, settings in LOCALIZATIONS.items():
        found = list(
            localize(
                "v", attention, activation, np.array([0.6, 0.05, 0.35]), labels=["0", "1", "2"], settings=settings,
                grid=GRID, duration=25.3,
            )
        )  # fmt: skip
        yield f"localize/{name}", np.array([[float(d.label), d.score, d.start, d.stop] for d in found])
    curve = upsample(attention, 7)
    yield "upsample", curve
    runs = find_ranges_above(curve, [0.3, 0.5, 0.6])
    yield "runs", runs
    yield "contrast", outer_inner_contrast(curve, runs, 0.25)
    start = rng.uniform(0, 20, 40)
    segments = np.stack([start, start + rng.uniform(0.5, 8, 40)], axis=1)
    order, scores = soft_nms(segments, rng.random(40), 0.3, 0.01)
    yield "soft_nms/order", order
    yield "soft_nms/scores", scores
    yield "moments", np.array(list(rank_moments(rng.normal(0, 2, 40), GRID, 25.0)))
    grid = SnippetGrid(25.0, 16, 8)
    seconds = (0.1, 0.5, 3.33, 10.0, 61.7)
    yield (
        "grid",
        np.array([[g.count_snippets(s), g.count_frames(s), g.centre(s)] for g in (GRID, grid) for s in seconds]),
    )


def scores() -> Found:
    """Every number of scoring, for fixed detections."""
    test, train, labels, found = _annotated()
    for name, settings in EVALUATIONS.items():
        content = score_clusters(eval_input(test, train, labels, found), settings)
        yield from _numbers(f"clusters/{name}", content)
        named = [types.Detection(d.video_id, f"class {d.label[-1]}", d.score, d.start, d.stop) for d in found]
        problem = eval_input(test, train, [], named)
        yield from _numbers(f"classes/{name}", score_classes(problem, settings))
        yield from _numbers(f"chance/{name}", chance(problem, settings))
    yield from _numbers("diagnosis", build_diagnosis(problem, TIOU, np.array([30.0, 28.0, np.nan, 31.0, 25.0, 40.0])))
    counts = np.random.default_rng(6).integers(0, 5, (4, 5))
    yield from ((f"mapping/{name}", rule(counts)) for name, rule in MAPPINGS.items())
    rng = np.random.default_rng(7)
    queries = [types.GroundingQuery(f"v{k % 3}", "x", ((float(k), float(k + 4)), (20.0, 22.0))) for k in range(6)]
    moments_found = [[(float(a), float(a + b)) for a, b in rng.uniform(0, 6, (7, 2))] for _ in queries]
    yield from _numbers("recall", compute_recall(queries, moments_found))
    yield "drawn", bootstrap.draw_videos(5, 8)
    first, second = rng.random(50), rng.random(50)
    compared = bootstrap.compare_scores(0.5, 0.4, first, second)
    yield "compared", np.array([compared.difference, *compared.interval, compared.share_ahead])
    rows = [(int(v), int(c), s, s + w, p) for v, c, s, w, p in zip(
        rng.integers(0, 3, 30), rng.integers(0, 2, 30), rng.uniform(0, 9, 30), rng.uniform(0.5, 5, 30),
        rng.integers(0, 9, 30) / 8, strict=True)]  # fmt: skip
    judged = ap.match(make_segments(rows[:10]), make_segments(rows[10:]), TIOU)
    yield "hit", judged.tp_mask
    yield "average_precision", ap.compute_average_precision(judged, 2)


def _numbers(name: str, content: Any) -> Found:
    for column, values in arrays.tree(content, KEYS_IN_SCORES, SKIPPED).items():
        yield f"{name}/{column}", values


def language() -> Found:
    """Feature adapter, embedding spaces, few-shot curves, sequences of training, text queries."""
    streams = {name: videos for name, videos in _streams(6).items() if name in ("rgb", "flow")}
    joint = create_joint_embedding({name: DIMS[name] for name in streams}, DIMS["clip"], ADAPTER, 3).eval()
    texts = np.random.default_rng(8).normal(size=(4, DIMS["clip"])).astype(np.float32)
    plain_space = embedding_space.extracted_space(streams, "cpu")
    points = {"plain": plain_space, "adapted": embedding_space.adapted_space(joint, plain_space)}
    with torch.inference_mode():
        yield "texts", joint.embed_texts(torch.from_numpy(texts)).numpy()
        yield "scale", joint.scale.numpy()
        for name, adapter in joint.adapters.items():
            x = torch.from_numpy(streams[name]["v0"].feature.astype(np.float32))[None]
            yield f"adapter/{name}", adapter(x).numpy()
    shown = [spans.Span("v0", 1, 4, 1), spans.Span("v1", 2, 5, 2), spans.Span("v2", 0, 2, 1)]
    covered = few_shot.compute_coverage_masks(streams)
    for name, space in points.items():
        embedded = space.embed_streams(streams, "cpu")
        prototypes = few_shot.build_prototypes(
            space, embedded, shown, covered, few_shot.mask_outside_examples(shown, covered)
        )
        yield from ((f"{name}/points/{number}", x.numpy()) for number, x in enumerate(prototypes.values()))
        for video in ("v3", "v5"):
            curve = few_shot.predict_from_prototypes(space, embedded[video], prototypes, covered[video])
            yield from ((f"{name}/{video}/{n}", getattr(curve, field)) for n, field in CURVE_FIELDS.items())
    rows = streams["rgb"]["v1"].feature
    queries = {
        "clip": text_query.build_clip_query(texts[0, :6], rows[:, :6].astype(np.float32).mean(axis=0), 20.0),
        "joint": text_query.build_joint_query(texts[0], joint),
    }
    yield "logits/clip", queries["clip"].logits(rows[:, :6])
    yield "logits/joint", queries["joint"].logits(rows[:, : ADAPTER.width])
    yield "peaks", text_query.max_score_per_video([rows[:, :6]], np.array([0, 3, len(rows)]), queries["clip"])
    background = [spans.Span("v0", 5, 9), spans.Span("v3", 0, 7), spans.Span("v4", 1, 4)]
    sampler = SequenceSampler(feature_table.FeatureTable(streams, "cpu"), shown, background, ADAPTER)
    batch = sampler.sample_batch(np.random.default_rng(9))
    yield "batch/kinds", batch.class_ids.numpy()
    yield "batch/texts", batch.text_rows.numpy()
    yield "batch/clips", batch.clip_weights.numpy()
    yield from ((f"batch/features/{name}", x.numpy()) for name, x in batch.features.items())
    with torch.inference_mode():
        found = contrastive_losses(joint, batch, torch.from_numpy(texts))
    yield from ((f"losses/{name}", loss.numpy()) for name, loss in found.items())
    random = np.random.default_rng(10).random(20)
    marked = [*spans.find_actions("v", random, 3), *spans.find_background("v", random, random < 0.9)]
    yield "spans", [[span.first, span.end, span.class_id] for span in marked]
    pool = {name: [spans.Span(f"v{k}", k, k + 2) for k in range(n)] for name, n in (("a", 3), ("b", 4), ("c", 5))}
    episodes = [sample_episode(pool, 2, 2, 1, number) for number in range(4)]
    yield (
        "episodes",
        [[["abc".index(e.classes[k]), s.first] for k in (0, 1) for s in e.support_examples[k]] for e in episodes],
    )


def worlds() -> Found:
    """Generated data: features, pictures and sound."""
    videos = simulated_events.plan_videos(WORLD)
    yield "simulated/seconds", np.array([video.duration for video in videos])
    instances = [simulated_events.build_instances(WORLD, video) for video in videos]
    yield "simulated/instances", np.array([[int(i.label[-2:]), i.start, i.stop] for found in instances for i in found])
    for video in videos[3:5]:
        for stream in DIMS:
            found = simulated.generate_features(WORLD, stream, video, GRID)
            yield f"simulated/{video.video_id}/{stream}/feature", found.feature
            yield f"simulated/{video.video_id}/{stream}/coverage", found.coverage
    for name, text in simulated.generate_text_embeddings(WORLD).items():
        yield f"simulated/texts/{name}", text
    plans = untrimmed.plan_videos(DEMO)
    yield "demo/seconds", np.array([video.duration for video in plans])
    pictures = next(untrimmed.render_frames(plans[0]))
    yield "demo/picture", pictures[::6, ::6]
    yield "demo/sound", untrimmed.render_audio(plans[0])[:, ::200]
    for number, clip in enumerate(trimmed.generate_clips(1, 2)):
        yield f"clip/{number}/picture", clip.render_frames(2)[:, ::6, ::6]
        yield f"clip/{number}/sound", clip.render_audio()[::100]


# --- inputs -------------------------------------------------------------------------------------------------------


def _mask() -> Tensor:
    return torch.arange(SNIPPETS)[None] < torch.tensor(LENGTHS)[:, None]


def _labels() -> NDArray[np.float32]:
    labels = np.zeros((VIDEOS, CLASSES), np.float32)
    labels[[0, 1, 1, 2, 3, 4], [0, 0, 2, 2, 1, 0]] = 1
    return labels


def _batch(dims: Mapping[str, int]) -> Batch:
    """Videos of some lengths; flow lacks a snippet, one video has no sound, padding is nan."""
    rng, mask = np.random.default_rng(11), {name: _mask().clone() for name in dims}
    if "audio" in mask:
        mask["audio"][1] = False
    mask["flow"][0, 10] = False
    features = {
        name: torch.from_numpy(rng.normal(size=(VIDEOS, SNIPPETS, dim)).astype(np.float32)).masked_fill(
            ~mask[name][..., None], torch.nan
        )
        for name, dim in dims.items()
    }
    return Batch(tuple(f"v{k}" for k in range(VIDEOS)), features, mask)


def _truth() -> Targets:
    extents = torch.from_numpy((np.random.default_rng(12).random((VIDEOS, SNIPPETS, CLASSES)) < 0.3).astype(np.float32))
    return Targets(torch.from_numpy(_labels()), torch.arange(VIDEOS), extents * _mask()[..., None])


def _streams(videos: int) -> dict[str, dict[str, types.VideoFeatures]]:
    """Features of some videos; the last has no sound, and the first's last snippet has no flow."""
    rng = np.random.default_rng(13)
    streams: dict[str, dict[str, types.VideoFeatures]] = {}
    for name, dim in DIMS.items():
        streams[name] = {}
        for number in range(videos):
            rows = 12 + number
            coverage = np.ones(rows, np.float32)
            coverage[-1] = 0.4
            if name == "audio" and number == videos - 1:
                coverage[:] = 0
            if name == "flow" and number == 0:
                coverage[-1] = 0
            start: Floats = np.arange(rows) * np.float64(GRID.stride_s)
            x = rng.normal(size=(rows, dim)) + 2 * rng.normal(size=dim)
            feature = (x * (coverage > 0)[:, None]).astype(np.float16)
            streams[name][f"v{number}"] = types.VideoFeatures(
                f"v{number}", start, start + GRID.snippet_s, coverage, feature
            )
    return streams


def _frames(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """A smooth texture that moves one pixel a frame. Integer arithmetic alone, so that every machine makes the same."""
    noise = np.random.default_rng(14).integers(0, 256, (height + 8, width + count + 8, 3))
    total = noise.cumsum(axis=0).cumsum(axis=1)
    soft = (total[8:, 8:] - total[:-8, 8:] - total[8:, :-8] + total[:-8, :-8]) // 64
    wide = np.clip((soft - 128) * 5 + 128, 0, 255).astype(np.uint8)
    return np.stack([wide[:, k : k + width] for k in range(count)])


def _write_video(path: Path, sound: NDArray[np.int16]) -> None:
    """60 black frames at 25 a second, and uncompressed stereo sound [samples, 2] at 44.1 kHz, which ends earlier."""
    with av.open(str(path), "w") as file:
        picture = file.add_stream("ffv1", rate=25)
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
        samples = file.add_stream("pcm_s16le", rate=44100, layout="stereo")
        for _ in range(60):
            black = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            file.mux(picture.encode(black))
        file.mux(picture.encode())
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = 44100
        file.mux(samples.encode(frame))
        file.mux(samples.encode())


def _network(kind: str, network: nn.Module, options: Any) -> types.NetworkWeights:
    """Random weights that keep the size of signals, with BatchNorm statistics other than 0 and 1."""
    torch.manual_seed(0)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    layer.bias.normal_(0, 0.1)
            elif isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                layer.bias.normal_(0, 0.1)
            elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 2)
                layer.weight.uniform_(0.7, 1.4)
                layer.bias.normal_(0, 0.2)
    return types.NetworkWeights({kind: to_plain_data(options)}, get_tensors(network))


def _annotated() -> tuple[dict[str, Any], dict[str, Any], list[Any], list[Any]]:
    """Test and training videos with their actions, clusters of the latter, detections in the former."""
    rng = np.random.default_rng(15)

    def annotation(subset: str) -> types.Annotation:
        start = np.round(rng.uniform(0, 20, 4), 2)
        instances = [
            types.Instance(f"class {int(rng.integers(4))}", float(s), float(s + np.round(rng.uniform(1, 6), 2)))
            for s in start
        ]
        return types.Annotation(subset, tuple(instances), 30.0, ((22.0, 24.0),))

    test = {f"test {k}": annotation("test") for k in range(6)}
    train = {f"train {k}": annotation("train") for k in range(8)}
    labels = [types.Label(video, k % 3, f"cluster-{k % 3:02d}") for k, video in enumerate(train)]
    found = []
    for video, known in test.items():
        for instance in known.instances:
            shift = rng.normal(0, 0.6, 2)
            span = sorted((max(0.0, instance.start + shift[0]), instance.stop + shift[1]))
            # Few distinct scores, so that some are equal.
            score = float(rng.integers(1, 12)) / 12
            found.append(types.Detection(video, f"cluster-{int(rng.integers(3)):02d}", score, span[0], span[1]))
        for _ in range(8):
            begin = float(rng.uniform(0, 24))
            label = f"cluster-{int(rng.integers(3)):02d}"
            found.append(types.Detection(video, label, float(rng.random()), begin, begin + float(rng.uniform(0.5, 5))))
    return test, train, labels, found


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread: with several, sums are added in another order."""
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with threadpool_limits(THREADS):
            yield
    finally:
        torch.set_num_threads(before)


PARTS: dict[str, Callable[[], Found]] = {
    "losses": losses, "localizers": localizers, "descriptors": descriptors, "networks": networks, "flows": flows,
    "sounds": sounds, "proposals": proposals, "scores": scores, "language": language, "worlds": worlds,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the golden numbers of the functions anew, or compare with them.")
    parser.add_argument("--compare", action="store_true", help="compare; write nothing")
    options = parser.parse_args()
    found = compute()
    if options.compare:
        return arrays.report(compare(arrays.load(GOLDEN), found, arrays.load_machine(MACHINE)))
    arrays.save_golden(GOLDEN, MACHINE, found, THREADS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
