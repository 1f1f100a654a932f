# Features that were taught the borders of actions, and what they are tied to.


rule tune_encoder:
    input:
        span_features,
        left_out_files,
        source_files,
        probe=probe_shards,
        encoder_weights=networks_of,
        texts=texts_files,
        localizer=spans_of(at.MODEL),
        labels=spans_of(at.LABELS),
    output:
        network=at.TUNED_WEIGHTS,
        log=at.TUNING_LOG,
    log:
        "results/{dataset}/logs/tune_encoder/{stream}/{adapter}.log",
    benchmark:
        "results/{dataset}/benchmarks/tune_encoder/{stream}/{adapter}.tsv"
    wildcard_constraints:
        dataset=names_of("demo", "videos_dir"),
        stream="rgb|flow",
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("tune_encoder"),
        code=code("tune_encoder"),
        told=spans_told,
        source=source_option,
        shards=shards,
        annotations=left_out_option,
        texts=texts_option,
        knobs=knobs("device", "num_workers", "gpu_batch_size", "decoder_timeout_s", "decoder_memory_gib"),
    shell:
        "python -m clip_ae tune_encoder --cfg {params.cfg:q} {params.source} --probe {input.probe} "
        "--encoder-weights {input.encoder_weights} --features results/{wildcards.dataset}/features --shards {params.shards} "
        "--localizer {input.localizer} --labels {input.labels} --out {output.network} --log {output.log} "
        "{params.annotations} {params.texts} {params.knobs} 2>&1 | tee {log} >&2"


use rule extract as extract_tuned with:
    input:
        probe=at.PROBE,
        weights=tuned_networks,
    output:
        features=at.TUNED_FEATURES,
        failures=at.TUNED_FAILURES,
    log:
        "results/{dataset}/logs/extract_tuned/{stream}/{adapter}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/extract_tuned/{stream}/{adapter}/{shard}.tsv"


rule train_adapter:
    input:
        span_features,
        left_out_files,
        clips_files,
        texts_files,
        encoded_files,
        localizer=spans_of(at.MODEL),
        labels=spans_of(at.LABELS),
    output:
        model=at.ADAPTER_MODEL,
        log=at.ADAPTER_LOG,
    log:
        "results/{dataset}/logs/train_adapter/{adapter}.log",
    benchmark:
        "results/{dataset}/benchmarks/train_adapter/{adapter}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("train_adapter"),
        code=code("train_adapter"),
        told=spans_told,
        shards=shards,
        encoded=encoded_option,
        annotations=left_out_option,
        clips=clips_option,
        texts=texts_option,
        knobs=knobs("device"),
    shell:
        "python -m clip_ae train_adapter --cfg {params.cfg:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --localizer {input.localizer} --labels {input.labels} --out {output.model} "
        "--log {output.log} {params.encoded} {params.annotations} {params.clips} {params.texts} {params.knobs} 2>&1 | tee {log} >&2"


rule adapt_features:
    input:
        features=adaptable,
        adapter=at.ADAPTER_MODEL,
    output:
        at.ADAPTED_FEATURES,
    log:
        "results/{dataset}/logs/adapt_features/{stream}/{adapter}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/adapt_features/{stream}/{adapter}/{shard}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("adapt_features"),
        code=code("adapt_features"),
        knobs=knobs("device"),
    shell:
        "python -m clip_ae adapt_features --cfg {params.cfg:q} --features {input.features} --adapter {input.adapter} "
        "--out {output} {params.knobs} 2>&1 | tee {log} >&2"


rule score_fewshot:
    input:
        fewshot_features,
        annotation_files,
        adapters=fewshot_models,
    output:
        scores=report(
            at.FEWSHOT,
            caption="../report/fewshot.rst",
            category="Results",
            labels={"dataset": "{dataset}", "what": "fewshot.json"},
        ),
        table=at.FEWSHOT_TABLE,
    log:
        "results/{dataset}/logs/score_fewshot.log",
    benchmark:
        "results/{dataset}/benchmarks/score_fewshot.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("score_fewshot"),
        code=code("score_fewshot"),
        annotated=annotated,
        shards=shards,
        ground_truth=ground_truth_option,
        knobs=knobs("device"),
    shell:
        "python -m clip_ae score_fewshot --cfg {params.cfg:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --adapters {input.adapters} --out {output.scores} --table {output.table} "
        "{params.ground_truth} {params.knobs} 2>&1 | tee {log} >&2"
