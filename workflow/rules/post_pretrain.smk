# Features that were taught the borders of actions, and what they are tied to.


rule post_pretrain:
    input:
        span_features,
        left_out_files,
        clips_files,
        texts_files,
        model=spans_of(at.MODEL),
        labels=spans_of(at.LABELS),
    output:
        model=at.POST_PRETRAINED,
        log=at.POST_TRAINING,
    log:
        "results/{dataset}/logs/post_pretrain/{post}.log",
    benchmark:
        "results/{dataset}/benchmarks/post_pretrain/{post}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.math_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("post_pretrain"),
        code=code("post_pretrain"),
        told=spans_told,
        shards=shards,
        annotations=left_out_option,
        clips=clips_option,
        texts=texts_option,
        knobs=knobs("device"),
    shell:
        "python -m clip_ae post_pretrain --cfg {params.cfg:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --model {input.model} --labels {input.labels} --out {output.model} "
        "--log {output.log} {params.annotations} {params.clips} {params.texts} {params.knobs} 2>&1 | tee {log} >&2"


rule adapt:
    input:
        features=at.FEATURES,
        model=at.POST_PRETRAINED,
    output:
        at.ADAPTED,
    log:
        "results/{dataset}/logs/adapt/{post}/{stream}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/adapt/{post}/{stream}/{shard}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.math_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("adapt"),
        code=code("adapt"),
        knobs=knobs("device"),
    shell:
        "python -m clip_ae adapt --cfg {params.cfg:q} --features {input.features} --model {input.model} "
        "--out {output} {params.knobs} 2>&1 | tee {log} >&2"


rule score_fewshot:
    input:
        fewshot_features,
        annotation_files,
        models=fewshot_models,
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
    threads: CONFIG.math_threads
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
        "--shards {params.shards} --models {input.models} --out {output.scores} --table {output.table} "
        "{params.ground_truth} {params.knobs} 2>&1 | tee {log} >&2"
