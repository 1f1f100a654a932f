# Features of all streams on one snippet grid: extracted from videos, or imported.


rule extract:
    input:
        probe=paths.PROBE,
        weights=inputs.encoder_weights,
    output:
        features=paths.FEATURES,
        failures=paths.SHARD_FAILURES.replace("{stage}", "{stream}"),
    log:
        "results/{dataset}/logs/extract/{stream}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/extract/{stream}/{shard}.tsv"
    wildcard_constraints:
        dataset=datasets_with("demo", "videos_dir"),
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("extract"),
        code_digest=digests.code("extract"),
        source_files_digest=digests.source_files,
        source=options.source,
        runtime=options.runtime(
            "device",
            "num_workers",
            "gpu_batch_size",
            "decoder_timeout_s",
            "decoder_memory_gib",
        ),
    shell:
        "python -m clip_ae extract --spec {params.spec:q} {params.source} --probe {input.probe} "
        "--weights {input.weights} --out {output.features} --failures {output.failures} {params.runtime} "
        "> {log} 2>&1"


rule import_features:
    input:
        probe=paths.PROBE,
    output:
        features=paths.FEATURES,
        failures=paths.SHARD_FAILURES.replace("{stage}", "{stream}"),
    log:
        "results/{dataset}/logs/import_features/{stream}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/import_features/{stream}/{shard}.tsv"
    wildcard_constraints:
        dataset=datasets_with("features_dir", "simulate"),
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("import_features"),
        code_digest=digests.code("import_features"),
        source_files_digest=digests.source_files,
        source=options.source,
    shell:
        "python -m clip_ae import_features --spec {params.spec:q} {params.source} --probe {input.probe} "
        "--shard {wildcards.shard} --out {output.features} --failures {output.failures} > {log} 2>&1"
