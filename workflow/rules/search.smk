# Search moments by text: the snippet index, and the moments of words and sentences.


rule index:
    input:
        inputs.index_features,
    output:
        paths.INDEX,
    log:
        "results/{dataset}/logs/index/{space}.log",
    benchmark:
        "results/{dataset}/benchmarks/index/{space}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("index"),
        code_digest=digests.code("index"),
        shards=shards,
        adapted=options.adapted_space,
    shell:
        "python -m clip_ae index --spec {params.spec:q} --features results/{wildcards.dataset}/features "
        "--shards {params.shards} --out {output} {params.adapted} > {log} 2>&1"


rule find_moments:
    input:
        inputs.page_adapter,
        index=inputs.page_index,
        clip_weights=inputs.clip_weights,
    output:
        paths.MOMENTS,
    log:
        "results/{dataset}/logs/find_moments.log",
    benchmark:
        "results/{dataset}/benchmarks/find_moments.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("find_moments"),
        code_digest=digests.code("find_moments"),
        vocabulary_digest=digests.vocabulary,
        vocabulary=options.vocabulary,
        adapter=options.page_adapter,
        runtime=options.runtime("device"),
    shell:
        "python -m clip_ae find_moments --spec {params.spec:q} --index {input.index} --clip-weights {input.clip_weights} "
        "--out {output} {params.vocabulary} {params.adapter} {params.runtime} > {log} 2>&1"


rule score_grounding:
    input:
        inputs.sentences,
        inputs.annotations,
        inputs.search_adapters,
        inputs.text_encoder,
        indices=inputs.indices,
    output:
        json=paths.GROUNDING,
        table=paths.GROUNDING_TABLE,
    log:
        "results/{dataset}/logs/score_grounding.log",
    benchmark:
        "results/{dataset}/benchmarks/score_grounding.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    resources:
        gpu=options.gpus,
    params:
        spec=digests.spec("score_grounding"),
        code_digest=digests.code("score_grounding"),
        sentences_digest=digests.sentences,
        ids_digest=digests.test_ids,
        sentences=options.sentences,
        annotations=options.annotations,
        text_encoder=options.text_encoder,
        adapters=options.search_adapters,
        runtime=options.runtime("device"),
    shell:
        "python -m clip_ae score_grounding --spec {params.spec:q} --indices {input.indices} --out {output.json} "
        "--table {output.table} {params.sentences} {params.annotations} {params.text_encoder} {params.adapters} "
        "{params.runtime} > {log} 2>&1"
