# Generate datasets, probe the videos, and join the tables of all shards.


rule make_demo:
    output:
        videos=directory(paths.WORLD_VIDEOS_DIR),
        annotations=paths.WORLD_ANNOTATIONS,
        sentences=paths.WORLD_SENTENCES,
        manifest=paths.WORLD_MANIFEST,
    log:
        "results/{dataset}/logs/make_demo.log",
    benchmark:
        "results/{dataset}/benchmarks/make_demo.tsv"
    wildcard_constraints:
        dataset=datasets_with("demo"),
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.runtime.num_workers
    params:
        spec=digests.spec("make_demo"),
        code_digest=digests.code("make_demo"),
        runtime=options.runtime("num_workers"),
    shell:
        "python -m clip_ae make_demo --spec {params.spec:q} --videos {output.videos} "
        "--annotations {output.annotations} --sentences {output.sentences} --manifest {output.manifest} "
        "{params.runtime} > {log} 2>&1"


rule simulate:
    output:
        features=directory(paths.WORLD_FEATURES_DIR),
        annotations=paths.WORLD_ANNOTATIONS,
        text_embeddings=paths.WORLD_TEXT_EMBEDDINGS,
        manifest=paths.WORLD_MANIFEST,
    log:
        "results/{dataset}/logs/simulate.log",
    benchmark:
        "results/{dataset}/benchmarks/simulate.tsv"
    wildcard_constraints:
        dataset=datasets_with("simulate"),
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("simulate"),
        code_digest=digests.code("simulate"),
    shell:
        "python -m clip_ae simulate --spec {params.spec:q} --features {output.features} "
        "--annotations {output.annotations} --text-embeddings {output.text_embeddings} --manifest {output.manifest} "
        "> {log} 2>&1"


rule probe:
    input:
        inputs.source_files,
    output:
        probe=paths.PROBE,
        failures=paths.SHARD_FAILURES.replace("{stage}", "probe"),
    log:
        "results/{dataset}/logs/probe/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/probe/{shard}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("probe"),
        code_digest=digests.code("probe"),
        source_files_digest=digests.source_files,
        source=options.source,
        runtime=options.runtime("decoder_timeout_s", "decoder_memory_gib"),
    shell:
        "python -m clip_ae probe --spec {params.spec:q} {params.source} --shard {wildcards.shard} "
        "--out {output.probe} --failures {output.failures} {params.runtime} > {log} 2>&1"


rule catalog:
    input:
        inputs.probe_shards,
        inputs.failure_shards,
        inputs.annotations,
    output:
        videos=paths.VIDEOS,
        failures=paths.FAILURES,
    log:
        "results/{dataset}/logs/catalog.log",
    benchmark:
        "results/{dataset}/benchmarks/catalog.tsv"
    # It may refuse the dataset, so it runs before any training.
    priority: 1
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("catalog"),
        code_digest=digests.code("catalog"),
        annotation_facts_digest=digests.annotation_facts,
        shards=shards,
        streams=streams,
        annotations=options.annotations,
    shell:
        "python -m clip_ae catalog --spec {params.spec:q} --probe results/{wildcards.dataset}/probe "
        "--failures results/{wildcards.dataset}/failures --shards {params.shards} --streams {params.streams} "
        "--out {output.videos} --failures-out {output.failures} {params.annotations} > {log} 2>&1"
