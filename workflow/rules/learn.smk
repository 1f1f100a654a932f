# Rounds of clustering and training, for every seed. Only weak and full runs read labels.


rule cluster:
    input:
        inputs.cluster_features,
        inputs.supervision_annotations,
        previous_model=inputs.previous_model,
    output:
        paths.LABELS,
    log:
        "results/{dataset}/logs/cluster/{run}/seed-{seed}/round-{round}.log",
    benchmark:
        "results/{dataset}/benchmarks/cluster/{run}/seed-{seed}/round-{round}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.cluster_gpus,
    params:
        spec=digests.spec("cluster"),
        code_digest=digests.code("cluster"),
        features=options.features,
        ids_digest=digests.train_ids,
        labels_digest=digests.supervision_labels,
        shards=shards,
        annotations=options.annotations,
        previous_model=options.previous_model,
        runtime=options.runtime("device"),
    shell:
        "python -m clip_ae cluster --spec {params.spec:q} {params.features} "
        "--shards {params.shards} --out {output} {params.previous_model} {params.annotations} {params.runtime} "
        "> {log} 2>&1"


rule train:
    input:
        inputs.run_features,
        labels=paths.LABELS,
    output:
        model=paths.MODEL,
        log=paths.TRAINING_LOG,
    log:
        "results/{dataset}/logs/train/{run}/seed-{seed}/round-{round}.log",
    benchmark:
        "results/{dataset}/benchmarks/train/{run}/seed-{seed}/round-{round}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("train"),
        code_digest=digests.code("train"),
        features=options.features,
        ids_digest=digests.train_ids,
        shards=shards,
        runtime=options.runtime("device"),
        tensorboard=options.tensorboard,
    shell:
        "python -m clip_ae train --spec {params.spec:q} {params.features} "
        "--shards {params.shards} --labels {input.labels} --out {output.model} --log {output.log} {params.runtime} "
        "{params.tensorboard} > {log} 2>&1"
