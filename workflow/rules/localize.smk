# The last round's model finds segments; only evaluate knows what they are called.


rule localize:
    input:
        run_features,
        model=last_round(at.MODEL),
    output:
        detections=at.DETECTIONS,
        curves=at.CURVES,
    log:
        "results/{dataset}/logs/localize/{run}/seed-{seed}.log",
    benchmark:
        "results/{dataset}/benchmarks/localize/{run}/seed-{seed}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("localize"),
        code=code("localize"),
        features=features_option,
        ids=test_ids,
        shards=shards,
        annotations=annotations_option,
        knobs=knobs("device"),
    shell:
        "python -m clip_ae localize --cfg {params.cfg:q} {params.features} "
        "--shards {params.shards} --model {input.model} --out {output.detections} --curves {output.curves} "
        "{params.annotations} {params.knobs} 2>&1 | tee {log} >&2"


rule name_clusters:
    input:
        clip_features,
        curves=at.CURVES,
        clip_weights=clip_weights,
    output:
        at.CLUSTER_NAMES,
    log:
        "results/{dataset}/logs/name_clusters/{run}/seed-{seed}.log",
    benchmark:
        "results/{dataset}/benchmarks/name_clusters/{run}/seed-{seed}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("name_clusters"),
        code=code("name_clusters"),
        words=vocabulary,
        shards=shards,
        vocabulary=vocabulary_option,
        knobs=knobs("device"),
    shell:
        "python -m clip_ae name_clusters --cfg {params.cfg:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --curves {input.curves} --clip-weights {input.clip_weights} --out {output} "
        "{params.vocabulary} {params.knobs} 2>&1 | tee {log} >&2"


rule evaluate:
    input:
        annotation_files,
        detections=at.DETECTIONS,
        labels=every_round(at.LABELS),
    output:
        at.MAP,
    log:
        "results/{dataset}/logs/evaluate/{run}/seed-{seed}.log",
    benchmark:
        "results/{dataset}/benchmarks/evaluate/{run}/seed-{seed}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        cfg=cfg("evaluate"),
        code=code("evaluate"),
        annotated=annotated,
        ground_truth=ground_truth_option,
    shell:
        "python -m clip_ae evaluate --cfg {params.cfg:q} --detections {input.detections} --labels {input.labels} "
        "--out {output} {params.ground_truth} 2>&1 | tee {log} >&2"
