# Config -> paths, specs and digests. Only light modules may be imported here: every cluster job
# parses this file again.
import functools
import shlex

from snakemake.utils import validate

from clip_ae.core import paths as at
from clip_ae.core.config.checks import check_feature_adapter, check_search_space
from clip_ae.core.config.checks import load_config
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.config.methods import I3D_STREAMS
from clip_ae.core.sharding import assign_shard, list_demo_subsets
from clip_ae.core.sharding import list_shard_names, parse_shard_name
from clip_ae.core.config.stage_specs import count_rounds, build_stage_spec
from clip_ae.core.provenance import digest, digest_stage_code
from clip_ae.core.config.simulation import list_simulated_subsets
from clip_ae.core.config.specs import CLIP_SPACE
from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.data import source_folder
from clip_ae.data.annotations import read_annotations, read_annotation_facts
from clip_ae.data.annotations import read_subsets, annotations_digest
from clip_ae.data.sentences import read_sentences
from clip_ae.core.supervision import labels_for_supervision
from clip_ae.data.vocabulary import read_vocabulary, vocabulary_digest

HINT = " (datasets.{}.{} in config.yaml; docs/datasets.md explains it)"


def put_first(variable, folder):
    """Set a search path of the jobs to begin with a folder."""
    others = [
        part
        for part in os.environ.get(variable, "").split(os.pathsep)
        if part and part != folder
    ]
    os.environ.update({variable: os.pathsep.join([folder, *others])})


# Jobs run `python -m clip_ae`: by this very Python, activated or not, and from this very folder.
put_first("PATH", str(Path(sys.executable).parent))
put_first("PYTHONPATH", str(workflow.basedir))


def load_settings():
    try:
        return load_config(config)
    except ClipAeError as error:
        files = ", ".join(os.path.relpath(path) for path in workflow.configfiles)
        fail(type(error)(f"{files}: {error}"))


CONFIG = load_settings()
validate(
    config,
    str(Path(workflow.basedir) / "workflow/schemas/config.schema.json"),
    set_default=False,
)


def reported(function):
    """A user's mistake met while the DAG is built ends in its one line."""

    @functools.wraps(function)
    def wrapped(*arguments):
        try:
            return function(*arguments)
        except ClipAeError as error:
            fail(error)

    return wrapped


def names_of(*sources):
    """A wildcard constraint: the datasets whose source is one of these."""
    found = [
        n
        for n, d in CONFIG.datasets.items()
        if any(getattr(d, s) is not None for s in sources)
    ]
    return "|".join(found) or "(?!)"


wildcard_constraints:
    **{**at.WILDCARD_CONSTRAINTS, "dataset": "|".join(CONFIG.datasets)},


# --- params that Snakemake compares -------------------------------------------------------------


def cfg(stage):
    """The stage's spec as canonical JSON."""

    def text(wildcards):
        return to_canonical_json(build_stage_spec(CONFIG, stage, wildcards))

    return text


def code(stage):
    """The digest of the stage's code and of the modules that its spec names."""

    def text(wildcards):
        return digest_stage_code(
            stage, build_stage_spec(CONFIG, stage, wildcards).modules
        )

    return text if CONFIG.rerun_on_code_change else "untracked"


def shards(wildcards):
    return CONFIG.datasets[wildcards.dataset].shards


def streams(wildcards):
    return ",".join(CONFIG.datasets[wildcards.dataset].stream_names)


@reported
def files(wildcards):
    """Digest of the source files of one shard: raw videos are no inputs of Snakemake."""
    if CONFIG.datasets[wildcards.dataset].world:
        return "in the manifest"
    return files_digest(wildcards.dataset, wildcards.shard)


@reported
def source_file(wildcards):
    """Digest of the local file that weights come from; there before any job starts."""
    source = CONFIG.weights[wildcards.name].source
    if source == "pretrain" or ":" in source:
        return source
    if not Path(source).is_file():
        raise UserError(
            f"{source}: no such file; it is the source of weights.{wildcards.name} in config.yaml"
        )
    return source_folder.files_digest(Path(), [source], with_mtime=True)


@reported
def split(wildcards):
    """Digest of every annotated id, its subset and its stated length; a world's annotations are an input."""
    data = CONFIG.datasets[wildcards.dataset]
    return digest(
        to_canonical_json(
            read_annotation_facts(Path(data.annotations)) if data.annotations else {}
        )
    )


@reported
def train_ids(wildcards):
    return ids_digest(
        wildcards.dataset, CONFIG.datasets[wildcards.dataset].train_subset
    )


@reported
def told(wildcards):
    """Digest of what a run is told of the training videos; clustering must know nothing. A world's are an input."""
    supervision = CONFIG.runs[wildcards.run].supervision
    data = CONFIG.datasets[wildcards.dataset]
    if supervision == "unsupervised" or not data.annotations:
        return "nothing"
    known = read_annotations(Path(data.annotations))
    return digest(
        to_canonical_json(labels_for_supervision(known, data.train_subset, supervision))
    )


@reported
def spans_told(wildcards):
    """Digest of what the recipe's annotations say: of classes to leave out, and of trimmed clips."""
    recipe = CONFIG.feature_adapters[wildcards.adapter]
    read = [wildcards.dataset] if recipe.held_out_classes else []
    paths = [CONFIG.datasets[d].annotations for d in [*read, recipe.trimmed_dataset] if d]
    return digest(
        to_canonical_json([annotations_digest(Path(path)) for path in paths if path])
    )


@reported
def test_ids(wildcards):
    return ids_digest(wildcards.dataset, CONFIG.datasets[wildcards.dataset].test_subset)


@reported
def annotated(wildcards):
    """Digest of the annotations that score; a world's are an input instead."""
    dataset = CONFIG.datasets[wildcards.dataset]
    path = dataset.annotations or dataset.partial_annotations
    return annotations_digest(Path(path)) if path else "none"


@reported
def sentences(wildcards):
    """Digest of the sentences that score, or of the annotations whose class names do; a world's are an input."""
    path = CONFIG.datasets[wildcards.dataset].sentences
    if path:
        return digest(to_canonical_json(read_sentences(Path(path))))
    return annotated(wildcards)


@reported
def vocabulary(wildcards):
    """Digest of the words that clusters are named by, and the page is searched by."""
    path = CONFIG.datasets[wildcards.dataset].vocabulary
    if path is None:
        raise UserError(
            f"datasets.{wildcards.dataset}.vocabulary: none in config.yaml; "
            "name a text file of words, such as workflow/vocabularies/everyday.txt"
        )
    return vocabulary_digest(read_vocabulary(Path(path)))


# --- params that Snakemake does not compare: they take `resources` ----------------------------


def knobs(*names):
    """Run-time knobs as options."""

    def options(wildcards, resources):
        return " ".join(
            f"--{n.replace('_', '-')} {getattr(CONFIG.runtime, n)}" for n in names
        )

    return options


def gpus(wildcards):
    """A network's job runs on one GPU, where the run may use any; profiles say how many such jobs run at a time."""
    return int(CONFIG.runtime.device != "cpu")


def cluster_gpus(wildcards):
    """The first round's descriptors need no network."""
    return gpus(wildcards) if int(wildcards.round) else 0


def source_path(wildcards, resources):
    """Where the dataset's files lie; moving them changes nothing."""
    return str(source(wildcards.dataset))


def source_option(wildcards, resources):
    kind = "features" if is_ready(wildcards.dataset) else "videos"
    return f"--{kind} {shlex.quote(str(source(wildcards.dataset)))}"


def annotations_option(wildcards, resources):
    dataset = CONFIG.datasets[wildcards.dataset]
    return (
        f"--annotations {shlex.quote(annotations_path(wildcards.dataset))}"
        if dataset.is_annotated
        else ""
    )


def truth_option(wildcards, resources):
    """The annotations that score, where there are any."""
    scored = CONFIG.datasets[wildcards.dataset].is_scored
    path = shlex.quote(truth_path(wildcards.dataset)) if scored else ""
    return f"--annotations {path}" if scored else ""


def diagnosis_option(wildcards, resources):
    path = at.DIAGNOSIS.format(dataset=wildcards.dataset)
    return f"--diagnosis {path}" if CONFIG.datasets[wildcards.dataset].is_scored else ""


def adapted_option(wildcards, resources):
    if wildcards.space == CLIP_SPACE:
        return ""
    taught = at.ADAPTED_FEATURES_DIR.format(
        dataset=wildcards.dataset, adapter=wildcards.space
    )
    (adapter,) = joint_of(wildcards.dataset, [wildcards.space])
    return f"--adapted-features {taught} --adapter {adapter}"


def page_joint_option(wildcards, resources):
    return " ".join(f"--adapter {path}" for path in page_joint(wildcards))


def joints_option(wildcards, resources):
    paths = joints(wildcards)
    return f"--adapters {' '.join(paths)}" if paths else ""


def moments_option(wildcards, resources):
    return " ".join(f"--moments {path}" for path in moments_files(wildcards))


def sentences_option(wildcards, resources):
    data = CONFIG.datasets[wildcards.dataset]
    world = at.WORLD_SENTENCES.format(dataset=wildcards.dataset) if data.demo else None
    path = data.sentences or world
    return f"--sentences {shlex.quote(path)}" if path else ""


def vocabulary_option(wildcards, resources):
    return f"--vocabulary {shlex.quote(CONFIG.datasets[wildcards.dataset].vocabulary)}"


def names_option(wildcards, resources):
    return " ".join(f"--cluster-names {path}" for path in names_files(wildcards))


def summary_names_option(wildcards, resources):
    named = wildcards.summary == "detections.json"
    return names_option(wildcards, resources) if named else ""


def sound_option(wildcards, resources):
    paths = report_sound(wildcards)
    return f"--audio-shards {' '.join(paths)}" if paths else ""


def report_source_option(wildcards, resources):
    """Where the page finds the videos to play them; a page that cannot asks its reader."""
    if is_ready(wildcards.dataset):
        return ""
    return f"--source {shlex.quote(str(source(wildcards.dataset)))}"


def ground_truth_option(wildcards, resources):
    return f"--ground-truth {shlex.quote(truth_path(wildcards.dataset))}"


def features_option(wildcards, resources):
    """Folders of shards; what a run was taught stands in place of what was extracted."""
    post = CONFIG.runs[wildcards.run].feature_adapter
    taught = at.ADAPTED_FEATURES_DIR.format(**{**wildcards, "adapter": post})
    extracted = at.FEATURES_DIR.format(**wildcards)
    return f"--features {extracted}{f' {taught}' if post else ''}"


def texts_option(wildcards, resources):
    named = CONFIG.feature_adapters[wildcards.adapter].uses_class_names
    return reader_option(wildcards, resources) if named else ""


def reader_option(wildcards, resources):
    option = "text-embeddings" if CONFIG.datasets[wildcards.dataset].simulate else "clip-weights"
    return f"--{option} {' '.join(reader_files(wildcards))}"


def left_out_option(wildcards, resources):
    left_out = CONFIG.feature_adapters[wildcards.adapter].held_out_classes
    return annotations_option(wildcards, resources) if left_out else ""


def clips_option(wildcards, resources):
    dataset = CONFIG.feature_adapters[wildcards.adapter].trimmed_dataset
    if not dataset:
        return ""
    folder = at.FEATURES_DIR.format(dataset=dataset)
    return (
        f"--trimmed-features {folder} --trimmed-shards {CONFIG.datasets[dataset].shards} "
        f"--trimmed-annotations {shlex.quote(annotations_path(dataset))}"
    )


def encoded_option(wildcards, resources):
    folder = at.TUNED_FEATURES_DIR.format(**wildcards)
    return f"--tuned-features {folder}" if tunes(wildcards) else ""


def tensorboard_option(wildcards, resources):
    """Where a training can be watched; no output, as no result depends on it."""
    folder = at.TENSORBOARD_DIR.format(**wildcards)
    return f"--tensorboard {folder}" if CONFIG.runtime.tensorboard else ""


def pretrained_option(wildcards, resources):
    return " ".join(f"--pretrained {path}" for path in pretrained(wildcards))


def previous_model_option(wildcards, resources):
    return " ".join(f"--previous-model {path}" for path in previous_model(wildcards))


# --- inputs ---------------------------------------------------------------------------------


@reported
def source_files(wildcards):
    """A world's manifest; other sources are checked here, before any job starts."""
    dataset = wildcards.dataset
    if CONFIG.datasets[dataset].world:
        check_subsets(dataset)
        return [at.WORLD_MANIFEST.format(dataset=dataset)]
    listed(dataset)
    check_subsets(dataset)
    return []


@functools.cache
def check_subsets(dataset):
    """A misspelt subset must not cost the hours of extraction before clustering finds nobody in it."""
    data = CONFIG.datasets[dataset]
    known = read_subsets(Path(data.partial_annotations)) if data.partial_annotations else subsets(dataset)
    present = set(known.values())
    for name in ("train_subset", "test_subset"):
        if data.is_scored and getattr(data, name) not in present:
            subset = getattr(data, name)
            raise UserError(
                f"datasets.{dataset}.{name}: '{subset}' is no subset there{suggest_name(subset, present)}"
            )


def annotation_files(wildcards):
    if CONFIG.datasets[wildcards.dataset].world:
        return [at.WORLD_ANNOTATIONS.format(dataset=wildcards.dataset)]
    return []


def told_files(wildcards):
    told = CONFIG.runs[wildcards.run].supervision != "unsupervised"
    return annotation_files(wildcards) if told else []


def networks_of(wildcards):
    encoder = getattr(CONFIG.datasets[wildcards.dataset].encoders, wildcards.stream)
    return [at.WEIGHTS.format(name=name) for name in encoder.weights_names]


def pretrained(wildcards):
    if CONFIG.weights[wildcards.name].source == "pretrain":
        return [at.PRETRAINED.format(name=wildcards.name)]
    return []


def shards_of(dataset):
    return list_shard_names(CONFIG.datasets[dataset].shards)


def probe_shards(wildcards):
    return [
        at.PROBE.format(dataset=wildcards.dataset, shard=s)
        for s in shards_of(wildcards.dataset)
    ]


def failure_shards(wildcards):
    stages = ["probe", *CONFIG.datasets[wildcards.dataset].stream_names]
    return [
        at.SHARD_FAILURES.format(dataset=wildcards.dataset, stage=stage, shard=shard)
        for stage in stages
        for shard in shards_of(wildcards.dataset)
    ]


def shards_in(dataset, streams):
    return [
        at.FEATURES.format(dataset=dataset, stream=stream, shard=shard)
        for stream in streams
        for shard in shards_of(dataset)
    ]


def read_by(wildcards, streams):
    """The shards of some streams that a run reads: the extracted ones, or what a post-pre-training made of them."""
    post = CONFIG.runs[wildcards.run].feature_adapter
    taught = [s for s in streams if post and s in I3D_STREAMS]
    return [
        *shards_in(wildcards.dataset, [s for s in streams if s not in taught]),
        *adapted(wildcards.dataset, post, taught),
    ]


def adapted(dataset, post, streams):
    return [
        at.ADAPTED_FEATURES.format(
            dataset=dataset, adapter=post, stream=stream, shard=shard
        )
        for stream in streams
        for shard in shards_of(dataset)
    ]


def run_features(wildcards):
    """The shards of the streams that a run's method reads."""
    return read_by(wildcards, CONFIG.runs[wildcards.run].streams)


def cluster_features(wildcards):
    """What descriptors are made of; from round 1 on the model that attends reads its other streams too."""
    return (
        run_features(wildcards)
        if int(wildcards.round)
        else read_by(wildcards, I3D_STREAMS)
    )


def span_features(wildcards):
    """What the run reads that tells actions from background, and what they are tied to."""
    spec = build_stage_spec(CONFIG, "train_adapter", wildcards)
    return shards_in(wildcards.dataset, spec.streams)


def spans_of(pattern):
    """An artefact of that run, of its last round with the first seed."""

    def path(wildcards):
        check_post_pretraining(wildcards)
        run = CONFIG.feature_adapters[wildcards.adapter].run
        seed = CONFIG.datasets[wildcards.dataset].seeds[0]
        return pattern.format(
            dataset=wildcards.dataset,
            run=run,
            seed=seed,
            round=count_rounds(CONFIG, wildcards.dataset, run) - 1,
        )

    return path


def tunes(wildcards):
    """Whether the recipe's features are made anew by networks that are tuned."""
    return CONFIG.feature_adapters[wildcards.adapter].mode == "encoder"


def tuned_networks(wildcards):
    """The stream's networks, the first of them tuned."""
    return [at.TUNED_WEIGHTS.format(**wildcards), *networks_of(wildcards)[1:]]


def encoded_files(wildcards):
    if not tunes(wildcards):
        return []
    return [
        at.TUNED_FEATURES.format(**wildcards, stream=stream, shard=shard)
        for stream in I3D_STREAMS
        for shard in shards_of(wildcards.dataset)
    ]


def adaptable(wildcards):
    """What an adapter stands on."""
    pattern = at.TUNED_FEATURES if tunes(wildcards) else at.FEATURES
    return pattern.format(**wildcards)


@reported
def check_post_pretraining(wildcards):
    """A recipe that no run names was not checked with the config."""
    where = f"datasets.{wildcards.dataset}"
    check_feature_adapter(
        where, CONFIG.datasets[wildcards.dataset], wildcards.adapter, CONFIG
    )


def texts_files(wildcards):
    named = CONFIG.feature_adapters[wildcards.adapter].uses_class_names
    return reader_files(wildcards) if named else []


def reader_files(wildcards):
    """What reads words: the CLIP, or the world's own texts."""
    if CONFIG.datasets[wildcards.dataset].simulate:
        return [at.WORLD_TEXT_EMBEDDINGS.format(dataset=wildcards.dataset)]
    return [clip_weights(wildcards)]


def left_out_files(wildcards):
    left_out = CONFIG.feature_adapters[wildcards.adapter].held_out_classes
    return annotation_files(wildcards) if left_out else []


def clips_files(wildcards):
    """The shards of the trimmed clips that the actions are of, and their annotations where a world has them."""
    dataset = CONFIG.feature_adapters[wildcards.adapter].trimmed_dataset
    if not dataset:
        return []
    world = CONFIG.datasets[dataset].world
    annotations = [at.WORLD_ANNOTATIONS.format(dataset=dataset)] if world else []
    return [*shards_in(dataset, I3D_STREAMS), *annotations]


@reported
def fewshot_models(wildcards):
    """What every recipe learnt that episodes score."""
    dataset = wildcards.dataset
    settings = CONFIG.datasets[dataset].fewshot
    if settings is None:
        raise UserError(
            f"{at.FEWSHOT.format(dataset=dataset)}: datasets.{dataset}.fewshot is missing in config.yaml; it names the "
            "recipes to score and the episodes"
        )
    return [
        at.ADAPTER_MODEL.format(dataset=dataset, adapter=post) for post in settings.feature_adapters
    ]


def fewshot_features(wildcards):
    return shards_in(wildcards.dataset, I3D_STREAMS)


def previous_model(wildcards):
    """From round 1 on, the last round's attention pools the descriptors."""
    number = int(wildcards.round)
    return [at.MODEL.format(**{**wildcards, "round": number - 1})] if number else []


def every_round(pattern):
    def paths(wildcards):
        rounds = count_rounds(CONFIG, wildcards.dataset, wildcards.run)
        return [pattern.format(**wildcards, round=number) for number in range(rounds)]

    return paths


def last_round(pattern):
    def path(wildcards):
        return every_round(pattern)(wildcards)[-1]

    return path


def headline(pattern):
    """An artefact of the headline run, of every seed."""

    def paths(wildcards):
        dataset = CONFIG.datasets[wildcards.dataset]
        return [
            pattern.format(dataset=wildcards.dataset, run=dataset.main_run, seed=s)
            for s in dataset.seeds
        ]

    return paths


@reported
def summarized(wildcards):
    dataset, name = CONFIG.datasets[wildcards.dataset], wildcards.dataset
    if wildcards.summary == "detections.json":
        return [headline_first(at.DETECTIONS)(wildcards), *names_files(wildcards)]
    if not dataset.is_scored:
        raise UserError(
            f"results/{name}_{wildcards.summary}: {name} has no annotations, so it has no scores; "
            f"ask for results/{name}_detections.json"
        )
    runs = [dataset.main_run] if wildcards.summary == "map.json" else dataset.runs
    return [
        at.MAP.format(dataset=name, run=run, seed=seed)
        for run in runs
        for seed in dataset.seeds
    ]


def headline_first(pattern):
    """An artefact of the headline run, of its first seed."""

    def path(wildcards):
        return headline(pattern)(wildcards)[0]

    return path


def frozen(wildcards):
    """What a dataset's runs end in."""
    scored = CONFIG.datasets[wildcards.dataset].is_scored
    summary = "map.json" if scored else "detections.json"
    return at.SUMMARY.format(dataset=wildcards.dataset, summary=summary)


def report_scores(wildcards):
    """What there is to say where annotations are."""
    if not CONFIG.datasets[wildcards.dataset].is_scored:
        return []
    return [
        *headline(at.MAP)(wildcards),
        at.DIAGNOSIS.format(dataset=wildcards.dataset),
    ]


def report_sound(wildcards):
    """How loud the videos are, where the dataset has sound."""
    heard = "audio" in CONFIG.datasets[wildcards.dataset].stream_names
    return shards_in(wildcards.dataset, ["audio"]) if heard else []


def names_files(wildcards):
    """What the first seed's clusters may be called: by a vocabulary, where no annotations tell."""
    data = CONFIG.datasets[wildcards.dataset]
    named = data.vocabulary is not None and not data.is_annotated
    return [headline_first(at.CLUSTER_NAMES)(wildcards)] if named else []


def clip_features(wildcards):
    return shards_in(wildcards.dataset, ["clip"])


@reported
def clip_weights(wildcards):
    encoders = CONFIG.datasets[wildcards.dataset].encoders
    if encoders is None or encoders.clip is None:
        raise UserError(
            f"datasets.{wildcards.dataset}: has no CLIP of its own to read words by; add encoders.clip"
        )
    return at.WEIGHTS.format(name=encoders.clip.weights)


@reported
def index_files(wildcards):
    """The shards of the space that is searched, beside those of the CLIP that reads sentences, and what taught it."""
    data, view = CONFIG.datasets[wildcards.dataset], wildcards.space
    where = f"results/{wildcards.dataset}/index/{view}.arrow"
    if "clip" not in data.stream_names:
        raise UserError(
            f"{where}: only CLIP knows words, and {wildcards.dataset} has no clip stream"
        )
    check_search_space(where, data, view, CONFIG)
    clip = clip_features(wildcards)
    if view == CLIP_SPACE:
        return clip
    taught = adapted(wildcards.dataset, wildcards.space, I3D_STREAMS)
    return [*clip, *taught, *joint_of(wildcards.dataset, [wildcards.space])]


def joint_of(dataset, views):
    """The networks of the joint spaces among some spaces."""
    taught = [view for view in views if view != CLIP_SPACE]
    return [at.ADAPTER_MODEL.format(dataset=dataset, adapter=view) for view in taught]


def views(wildcards):
    return CONFIG.datasets[wildcards.dataset].search_spaces


def indices(wildcards):
    return [
        at.INDEX.format(dataset=wildcards.dataset, space=view)
        for view in views(wildcards)
    ]


def page_index(wildcards):
    return indices(wildcards)[0]


def joints(wildcards):
    return joint_of(wildcards.dataset, views(wildcards))


def page_joint(wildcards):
    return joint_of(wildcards.dataset, views(wildcards)[:1])


def moments_files(wildcards):
    """What the page is searched by, where a vocabulary is given."""
    searched = CONFIG.datasets[wildcards.dataset].vocabulary is not None
    return [at.MOMENTS.format(dataset=wildcards.dataset)] if searched else []


@reported
def sentences_files(wildcards):
    """A world's sentences; others are checked here, before any job starts. Without any, class names are asked."""
    data, name = CONFIG.datasets[wildcards.dataset], wildcards.dataset
    if data.demo:
        return [at.WORLD_SENTENCES.format(dataset=name)]
    if data.sentences is None and not data.is_annotated:
        raise UserError(
            f"results/{name}_grounding.json: {name} has no sentences and no annotations to score by; "
            f"set datasets.{name}.sentences, or ask for moments by `clip-ae ground`"
        )
    if data.sentences:
        read_sentences(Path(data.sentences))
    return []


def report_labels(wildcards):
    """Clusters of every round of the first seed, and what their number was chosen by."""
    first = {
        **wildcards,
        "run": CONFIG.datasets[wildcards.dataset].main_run,
        "seed": CONFIG.datasets[wildcards.dataset].seeds[0],
    }
    return [
        at.LABELS.format(**first, round=number)
        for number in range(count_rounds(CONFIG, first["dataset"], first["run"]))
    ]


def report_training(wildcards):
    dataset = CONFIG.datasets[wildcards.dataset]
    return [
        at.TRAINING_LOG.format(
            dataset=wildcards.dataset, run=dataset.main_run, seed=seed, round=number
        )
        for seed in dataset.seeds
        for number in range(count_rounds(CONFIG, wildcards.dataset, dataset.main_run))
    ]


# --- what lies on disk, read once ---------------------------------------------------------------


def source(dataset):
    data = CONFIG.datasets[dataset]
    world = at.WORLD_FEATURES_DIR if data.simulate else at.WORLD_VIDEOS_DIR
    return Path(data.videos_dir or data.features_dir or world.format(dataset=dataset))


def is_ready(dataset):
    """Whether features are there already, read or simulated."""
    data = CONFIG.datasets[dataset]
    return bool(data.features_dir or data.simulate)


@functools.cache
def listed(dataset):
    """The files of the dataset's folder; a missing folder ends here, with where it is expected."""
    data = CONFIG.datasets[dataset]
    if data.features_dir:
        return source_folder.list_feature_files(
            source(dataset), data.stream_names, hint=HINT.format(dataset, "features_dir")
        )
    return source_folder.list_videos(
        source(dataset), hint=HINT.format(dataset, "videos_dir")
    )


@functools.cache
def files_digest(dataset, shard):
    """Of one shard's files, asked for by every stream."""
    index, shards = parse_shard_name(shard)
    found = listed(dataset)
    if CONFIG.datasets[dataset].features_dir:
        paths = found.files_of_shard(index, shards)
    else:
        paths = by_shard(dataset, shards)[index]
    return source_folder.files_digest(source(dataset), paths, with_mtime=True)


@functools.cache
def by_shard(dataset, shards):
    """The videos' paths of every shard, hashed once for all."""
    parts = [[] for _ in range(shards)]
    for video_id, path in listed(dataset).items():
        parts[assign_shard(video_id, shards)].append(path)
    return parts


def annotations_path(dataset):
    return CONFIG.datasets[dataset].annotations or at.WORLD_ANNOTATIONS.format(
        dataset=dataset
    )


def truth_path(dataset):
    return CONFIG.datasets[dataset].partial_annotations or annotations_path(dataset)


@functools.cache
def subsets(dataset):
    """id -> subset; empty where nothing is annotated."""
    data = CONFIG.datasets[dataset]
    if data.demo:
        return list_demo_subsets(data.demo.train_videos, data.demo.test_videos)
    if data.simulate:
        return list_simulated_subsets(data.simulate)
    try:
        return read_subsets(Path(data.annotations)) if data.annotations else {}
    except UserError as error:
        raise UserError(f"{error}{HINT.format(dataset, 'annotations')}") from None


def ids_digest(dataset, subset):
    """Digest of the ids of a subset that are there; of all ids where nothing is annotated."""
    data = CONFIG.datasets[dataset]
    present = subsets(dataset).keys() if data.world else known_ids(dataset)
    chosen = [
        i for i in present if not data.is_annotated or subsets(dataset).get(i) == subset
    ]
    return digest("\n".join(sorted(chosen)))


def known_ids(dataset):
    """The ids on disk. What lies in ready shards is known only by reading them, so there the annotated ids stand in."""
    found = listed(dataset)
    if CONFIG.datasets[dataset].features_dir:
        return found.npy_video_ids() or subsets(dataset).keys()
    return found.keys()
