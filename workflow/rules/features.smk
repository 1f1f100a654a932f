# One snippet grid, four streams: extracted from videos, or imported.


rule extract:
    input:
        probe=at.PROBE,
        weights=networks_of,
    output:
        features=at.FEATURES,
        failures=at.SHARD_FAILURES.replace("{stage}", "{stream}"),
    log:
        "results/{dataset}/logs/extract/{stream}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/extract/{stream}/{shard}.tsv"
    wildcard_constraints:
        dataset=names_of("demo", "videos_dir"),
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("extract"),
        code=code("extract"),
        files=files,
        source=source_option,
        knobs=knobs("device", "num_workers", "gpu_batch_size", "decoder_timeout_s", "decoder_memory_gib"),
    shell:
        "python -m clip_ae extract --cfg {params.cfg:q} {params.source} --probe {input.probe} "
        "--weights {input.weights} --out {output.features} --failures {output.failures} {params.knobs} "
        "2>&1 | tee {log} >&2"


rule import_features:
    input:
        probe=at.PROBE,
    output:
        features=at.FEATURES,
        failures=at.SHARD_FAILURES.replace("{stage}", "{stream}"),
    log:
        "results/{dataset}/logs/import_features/{stream}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/import_features/{stream}/{shard}.tsv"
    wildcard_constraints:
        dataset=names_of("features_dir", "simulate"),
    conda:
        "../../envs/clip_ae.yaml"
    params:
        cfg=cfg("import_features"),
        code=code("import_features"),
        files=files,
        source=source_option,
    shell:
        "python -m clip_ae import_features --cfg {params.cfg:q} {params.source} --probe {input.probe} "
        "--shard {wildcards.shard} --out {output.features} --failures {output.failures} 2>&1 | tee {log} >&2"
