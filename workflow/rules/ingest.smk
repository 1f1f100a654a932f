# Which videos there are, and what they are like.


rule make_demo:
    output:
        videos=directory(at.WORLD_VIDEOS_DIR),
        annotations=at.WORLD_ANNOTATIONS,
        sentences=at.WORLD_SENTENCES,
        manifest=at.WORLD_MANIFEST,
    log:
        "results/{dataset}/logs/make_demo.log",
    benchmark:
        "results/{dataset}/benchmarks/make_demo.tsv"
    wildcard_constraints:
        dataset=names_of("demo"),
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.runtime.num_workers
    params:
        cfg=cfg("make_demo"),
        code=code("make_demo"),
        knobs=knobs("num_workers"),
    shell:
        "python -m clip_ae make_demo --cfg {params.cfg:q} --videos {output.videos} "
        "--annotations {output.annotations} --sentences {output.sentences} --manifest {output.manifest} "
        "{params.knobs} 2>&1 | tee {log} >&2"


rule simulate:
    output:
        features=directory(at.WORLD_FEATURES_DIR),
        annotations=at.WORLD_ANNOTATIONS,
        text_embeddings=at.WORLD_TEXT_EMBEDDINGS,
        manifest=at.WORLD_MANIFEST,
    log:
        "results/{dataset}/logs/simulate.log",
    benchmark:
        "results/{dataset}/benchmarks/simulate.tsv"
    wildcard_constraints:
        dataset=names_of("simulate"),
    conda:
        "../../envs/clip_ae.yaml"
    params:
        cfg=cfg("simulate"),
        code=code("simulate"),
    shell:
        "python -m clip_ae simulate --cfg {params.cfg:q} --features {output.features} "
        "--annotations {output.annotations} --text-embeddings {output.text_embeddings} --manifest {output.manifest} 2>&1 | tee {log} >&2"


rule probe:
    input:
        source_files,
    output:
        probe=at.PROBE,
        failures=at.SHARD_FAILURES.replace("{stage}", "probe"),
    log:
        "results/{dataset}/logs/probe/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/probe/{shard}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        cfg=cfg("probe"),
        code=code("probe"),
        files=files,
        source=source_option,
        knobs=knobs("decoder_timeout_s", "decoder_memory_gib"),
    shell:
        "python -m clip_ae probe --cfg {params.cfg:q} {params.source} --shard {wildcards.shard} "
        "--out {output.probe} --failures {output.failures} {params.knobs} 2>&1 | tee {log} >&2"


rule catalog:
    input:
        probe_shards,
        failure_shards,
        annotation_files,
    output:
        videos=at.VIDEOS,
        failures=at.FAILURES,
    log:
        "results/{dataset}/logs/catalog.log",
    benchmark:
        "results/{dataset}/benchmarks/catalog.tsv"
    # It may refuse the dataset: nothing is to be trained before it has run.
    priority: 1
    conda:
        "../../envs/clip_ae.yaml"
    params:
        cfg=cfg("catalog"),
        code=code("catalog"),
        split=split,
        shards=shards,
        streams=streams,
        annotations=annotations_option,
    shell:
        "python -m clip_ae catalog --cfg {params.cfg:q} --probe results/{wildcards.dataset}/probe "
        "--failures results/{wildcards.dataset}/failures --shards {params.shards} --streams {params.streams} "
        "--out {output.videos} --failures-out {output.failures} {params.annotations} 2>&1 | tee {log} >&2"
