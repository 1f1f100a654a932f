# Moments by text: every snippet in one file, and what a vocabulary's words and people's sentences find there.


rule index:
    input:
        index_files,
    output:
        at.INDEX,
    log:
        "results/{dataset}/logs/index/{space}.log",
    benchmark:
        "results/{dataset}/benchmarks/index/{space}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        cfg=cfg("index"),
        code=code("index"),
        shards=shards,
        adapted=adapted_option,
    shell:
        "python -m clip_ae index --cfg {params.cfg:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --out {output} {params.adapted} 2>&1 | tee {log} >&2"


rule find_moments:
    input:
        page_joint,
        index=page_index,
        clip_weights=clip_weights,
    output:
        at.MOMENTS,
    log:
        "results/{dataset}/logs/find_moments.log",
    benchmark:
        "results/{dataset}/benchmarks/find_moments.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("find_moments"),
        code=code("find_moments"),
        words=vocabulary,
        vocabulary=vocabulary_option,
        adapter=page_joint_option,
        knobs=knobs("device"),
    shell:
        "python -m clip_ae find_moments --cfg {params.cfg:q} --index {input.index} --clip-weights {input.clip_weights} "
        "--out {output} {params.vocabulary} {params.adapter} {params.knobs} 2>&1 | tee {log} >&2"


rule score_grounding:
    input:
        sentences_files,
        annotation_files,
        joints,
        reader_files,
        indices=indices,
    output:
        json=at.GROUNDING,
        table=at.GROUNDING_TABLE,
    log:
        "results/{dataset}/logs/score_grounding.log",
    benchmark:
        "results/{dataset}/benchmarks/score_grounding.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=gpus,
    params:
        cfg=cfg("score_grounding"),
        code=code("score_grounding"),
        said=sentences,
        ids=test_ids,
        sentences=sentences_option,
        annotations=annotations_option,
        reader=reader_option,
        adapters=joints_option,
        knobs=knobs("device"),
    shell:
        "python -m clip_ae score_grounding --cfg {params.cfg:q} --indices {input.indices} --out {output.json} "
        "--table {output.table} {params.sentences} {params.annotations} {params.reader} {params.adapters} "
        "{params.knobs} 2>&1 | tee {log} >&2"
