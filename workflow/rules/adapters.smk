# Feature adapters: fine-tuned encoders, adapted features, and few-shot localization with them.


rule tune_encoder:
    input:
        inputs.adapter_features,
        inputs.adapter_annotations,
        inputs.source_files,
        probe=inputs.probe_shards,
        encoder_weights=inputs.encoder_weights,
        texts=inputs.adapter_texts,
        localizer=inputs.adapter_run(paths.MODEL),
        labels=inputs.adapter_run(paths.LABELS),
    output:
        network=paths.TUNED_WEIGHTS,
        log=paths.TUNING_LOG,
    log:
        "results/{dataset}/logs/tune_encoder/{stream}/{adapter}.log",
    benchmark:
        "results/{dataset}/benchmarks/tune_encoder/{stream}/{adapter}.tsv"
    wildcard_constraints:
        dataset=datasets_with("demo", "videos_dir"),
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("tune_encoder"),
        code_digest=digests.code("tune_encoder"),
        annotations_digest=digests.adapter_annotations,
        source=options.source,
        shards=shards,
        annotations=options.adapter_annotations,
        texts=options.adapter_texts,
        runtime=options.runtime(
            "device",
            "num_workers",
            "gpu_batch_size",
            "decoder_timeout_s",
            "decoder_memory_gib",
        ),
    shell:
        "python -m clip_ae tune_encoder --spec {params.spec:q} {params.source} --probe {input.probe} "
        "--encoder-weights {input.encoder_weights} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} "
        "--localizer {input.localizer} --labels {input.labels} --out {output.network} --log {output.log} "
        "{params.annotations} {params.texts} {params.runtime} > {log} 2>&1"


use rule extract as extract_tuned with:
    input:
        probe=paths.PROBE,
        weights=inputs.tuned_encoder_weights,
    output:
        features=paths.TUNED_FEATURES,
        failures=paths.TUNED_FAILURES,
    log:
        "results/{dataset}/logs/extract_tuned/{stream}/{adapter}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/extract_tuned/{stream}/{adapter}/{shard}.tsv"


rule train_adapter:
    input:
        inputs.adapter_features,
        inputs.adapter_annotations,
        inputs.trimmed_clips,
        inputs.adapter_texts,
        inputs.tuned_features,
        localizer=inputs.adapter_run(paths.MODEL),
        labels=inputs.adapter_run(paths.LABELS),
    output:
        model=paths.ADAPTER_MODEL,
        log=paths.ADAPTER_LOG,
    log:
        "results/{dataset}/logs/train_adapter/{adapter}.log",
    benchmark:
        "results/{dataset}/benchmarks/train_adapter/{adapter}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("train_adapter"),
        code_digest=digests.code("train_adapter"),
        annotations_digest=digests.adapter_annotations,
        shards=shards,
        tuned_features=options.tuned_features,
        annotations=options.adapter_annotations,
        trimmed_clips=options.trimmed_clips,
        texts=options.adapter_texts,
        runtime=options.runtime("device"),
    shell:
        "python -m clip_ae train_adapter --spec {params.spec:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --localizer {input.localizer} --labels {input.labels} --out {output.model} "
        "--log {output.log} {params.tuned_features} {params.annotations} {params.trimmed_clips} {params.texts} {params.runtime} "
        "> {log} 2>&1"


rule adapt_features:
    input:
        features=inputs.features_to_adapt,
        adapter=paths.ADAPTER_MODEL,
    output:
        paths.ADAPTED_FEATURES,
    log:
        "results/{dataset}/logs/adapt_features/{stream}/{adapter}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/adapt_features/{stream}/{adapter}/{shard}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("adapt_features"),
        code_digest=digests.code("adapt_features"),
        runtime=options.runtime("device"),
    shell:
        "python -m clip_ae adapt_features --spec {params.spec:q} --features {input.features} --adapter {input.adapter} "
        "--out {output} {params.runtime} > {log} 2>&1"


rule score_fewshot:
    input:
        inputs.fewshot_features,
        inputs.annotations,
        adapters=inputs.fewshot_adapters,
    output:
        scores=report(
            paths.FEWSHOT,
            caption="../report/fewshot.rst",
            category="Results",
            labels={"dataset": "{dataset}", "what": "fewshot.json"},
        ),
        table=paths.FEWSHOT_TABLE,
    log:
        "results/{dataset}/logs/score_fewshot.log",
    benchmark:
        "results/{dataset}/benchmarks/score_fewshot.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("score_fewshot"),
        code_digest=digests.code("score_fewshot"),
        ground_truth_digest=digests.ground_truth,
        shards=shards,
        ground_truth=options.ground_truth,
        runtime=options.runtime("device"),
    shell:
        "python -m clip_ae score_fewshot --spec {params.spec:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --adapters {input.adapters} --out {output.scores} --table {output.table} "
        "{params.ground_truth} {params.runtime} > {log} 2>&1"
