# Localize with the model of the last round. Only evaluate reads class names.


rule localize:
    input:
        inputs.run_features,
        model=inputs.last_round(paths.MODEL),
    output:
        detections=paths.DETECTIONS,
        other_curve=paths.OTHER_CURVE_DETECTIONS,
        curves=paths.CURVES,
    log:
        "results/{dataset}/logs/localize/{run}/seed-{seed}.log",
    benchmark:
        "results/{dataset}/benchmarks/localize/{run}/seed-{seed}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("localize"),
        code_digest=digests.code("localize"),
        features=options.features,
        ids_digest=digests.test_ids,
        shards=shards,
        annotations=options.annotations,
        runtime=options.runtime("device"),
    shell:
        "python -m clip_ae localize --spec {params.spec:q} {params.features} "
        "--shards {params.shards} --model {input.model} --out {output.detections} --other-curve {output.other_curve} "
        "--curves {output.curves} {params.annotations} {params.runtime} > {log} 2>&1"


rule name_clusters:
    input:
        inputs.vlp_features,
        curves=paths.CURVES,
        clip_weights=inputs.clip_weights,
    output:
        paths.CLUSTER_NAMES,
    log:
        "results/{dataset}/logs/name_clusters/{run}/seed-{seed}.log",
    benchmark:
        "results/{dataset}/benchmarks/name_clusters/{run}/seed-{seed}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("name_clusters"),
        code_digest=digests.code("name_clusters"),
        vocabulary_digest=digests.vocabulary,
        shards=shards,
        vocabulary=options.vocabulary,
        runtime=options.runtime("device"),
    shell:
        "python -m clip_ae name_clusters --spec {params.spec:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --curves {input.curves} --clip-weights {input.clip_weights} --out {output} "
        "{params.vocabulary} {params.runtime} > {log} 2>&1"


rule evaluate:
    input:
        inputs.annotations,
        detections=paths.DETECTIONS,
        other_curve=paths.OTHER_CURVE_DETECTIONS,
        labels=inputs.every_round(paths.LABELS),
    output:
        paths.MAP,
    log:
        "results/{dataset}/logs/evaluate/{run}/seed-{seed}.log",
    benchmark:
        "results/{dataset}/benchmarks/evaluate/{run}/seed-{seed}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("evaluate"),
        code_digest=digests.code("evaluate"),
        ground_truth_digest=digests.ground_truth,
        ground_truth=options.ground_truth,
    shell:
        "python -m clip_ae evaluate --spec {params.spec:q} --detections {input.detections} --labels {input.labels} "
        "--other-curve {input.other_curve} --out {output} {params.ground_truth} > {log} 2>&1"
