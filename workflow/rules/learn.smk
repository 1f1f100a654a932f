# Rounds of clustering and localization, for every seed: no label is read here, but by runs that are told.


rule cluster:
    input:
        cluster_features,
        told_files,
        previous_model=previous_model,
    output:
        at.LABELS,
    log:
        "results/{dataset}/logs/cluster/{run}/seed-{seed}/round-{round}.log",
    benchmark:
        "results/{dataset}/benchmarks/cluster/{run}/seed-{seed}/round-{round}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=cluster_gpus,
    params:
        cfg=cfg("cluster"),
        code=code("cluster"),
        features=features_option,
        ids=train_ids,
        told=told,
        shards=shards,
        annotations=annotations_option,
        previous_model=previous_model_option,
        knobs=knobs("device"),
    shell:
        "python -m clip_ae cluster --cfg {params.cfg:q} {params.features} "
        "--shards {params.shards} --out {output} {params.previous_model} {params.annotations} {params.knobs} "
        "2>&1 | tee {log} >&2"


rule train:
    input:
        run_features,
        labels=at.LABELS,
    output:
        model=at.MODEL,
        log=at.TRAINING_LOG,
    log:
        "results/{dataset}/logs/train/{run}/seed-{seed}/round-{round}.log",
    benchmark:
        "results/{dataset}/benchmarks/train/{run}/seed-{seed}/round-{round}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("train"),
        code=code("train"),
        features=features_option,
        ids=train_ids,
        shards=shards,
        knobs=knobs("device"),
        tensorboard=tensorboard_option,
    shell:
        "python -m clip_ae train --cfg {params.cfg:q} {params.features} "
        "--shards {params.shards} --labels {input.labels} --out {output.model} --log {output.log} {params.knobs} "
        "{params.tensorboard} 2>&1 | tee {log} >&2"
