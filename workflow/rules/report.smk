# The result files of a dataset: scores, error analysis, report page, frozen result.


rule summarize:
    input:
        videos=paths.VIDEOS,
        failures=paths.FAILURES,
        seeds=inputs.summary_sources,
        perfect_curves=inputs.perfect_curves,
    output:
        report(
            paths.SUMMARY,
            caption="../report/summary.rst",
            category="Results",
            labels={"dataset": "{dataset}", "what": "{summary}"},
        ),
    log:
        "results/{dataset}/logs/summarize/{summary}.log",
    benchmark:
        "results/{dataset}/benchmarks/summarize/{summary}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("summarize"),
        code_digest=digests.code("summarize"),
        cluster_names=options.summary_cluster_names,
        perfect_curves=options.perfect_curves,
        training_times=options.training_times,
    shell:
        "python -m clip_ae summarize --spec {params.spec:q} --summary {wildcards.summary} --catalog {input.videos} "
        "--failures {input.failures} --runs results/{wildcards.dataset}/runs --out {output} {params.cluster_names} "
        "{params.perfect_curves} {params.training_times} > {log} 2>&1"


rule score_perfect_curves:
    input:
        inputs.annotations,
        videos=paths.VIDEOS,
    output:
        paths.PERFECT_CURVES_MAP,
    log:
        "results/{dataset}/logs/score_perfect_curves.log",
    benchmark:
        "results/{dataset}/benchmarks/score_perfect_curves.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("score_perfect_curves"),
        code_digest=digests.code("score_perfect_curves"),
        ground_truth_digest=digests.ground_truth,
        ground_truth=options.ground_truth,
    shell:
        "python -m clip_ae score_perfect_curves --spec {params.spec:q} --catalog {input.videos} --out {output} "
        "{params.ground_truth} > {log} 2>&1"


rule diagnose:
    input:
        inputs.annotations,
        detections=inputs.main_run_first_seed(paths.DETECTIONS),
        scores=inputs.main_run_first_seed(paths.MAP),
        curves=inputs.main_run_first_seed(paths.CURVES),
        videos=paths.VIDEOS,
    output:
        report(
            paths.DIAGNOSIS,
            caption="../report/diagnosis.rst",
            category="Results",
            labels={"dataset": "{dataset}", "what": "diagnosis.json"},
        ),
    log:
        "results/{dataset}/logs/diagnose.log",
    benchmark:
        "results/{dataset}/benchmarks/diagnose.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("diagnose"),
        code_digest=digests.code("diagnose"),
        ground_truth_digest=digests.ground_truth,
        ground_truth=options.ground_truth,
    shell:
        "python -m clip_ae diagnose --spec {params.spec:q} --detections {input.detections} --scores {input.scores} "
        "--catalog {input.videos} --curves {input.curves} --out {output} {params.ground_truth} > {log} 2>&1"


rule report:
    input:
        inputs.annotations,
        inputs.report_scores,
        inputs.report_training,
        inputs.main_run(paths.DETECTIONS),
        inputs.main_run(paths.CURVES),
        inputs.report_labels,
        inputs.cluster_names,
        inputs.moments,
        videos=paths.VIDEOS,
        audio_shards=inputs.audio_features,
        failures=paths.FAILURES,
    output:
        report(
            paths.REPORT,
            caption="../report/report.rst",
            category="Results",
            labels={"dataset": "{dataset}", "what": "report.html"},
        ),
    log:
        "results/{dataset}/logs/report.log",
    benchmark:
        "results/{dataset}/benchmarks/report.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("report"),
        code_digest=digests.code("report"),
        ground_truth_digest=digests.ground_truth,
        annotations=options.scoring_annotations,
        cluster_names=options.cluster_names,
        moments=options.moments,
        diagnosis=options.diagnosis,
        audio_shards=options.audio_shards,
        source=options.report_source,
    shell:
        "python -m clip_ae report --spec {params.spec:q} --runs results/{wildcards.dataset}/runs --catalog {input.videos} "
        "--failures {input.failures} --out {output} {params.annotations} {params.diagnosis} {params.audio_shards} "
        "{params.cluster_names} {params.moments} {params.source} > {log} 2>&1"


rule freeze:
    input:
        main_result=inputs.main_result,
    output:
        paths.REPRO,
    log:
        "results/{dataset}/logs/freeze.log",
    benchmark:
        "results/{dataset}/benchmarks/freeze.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("freeze"),
        code_digest=digests.code("freeze"),
    shell:
        "python -m clip_ae freeze --spec {params.spec:q} --main-result {input.main_result} --out {output} "
        "> {log} 2>&1"


rule verify:
    log:
        "results/logs/verify.log",
    conda:
        "../../envs/clip_ae.yaml"
    params:
        config=to_canonical_json(CONFIG),
    shell:
        "python -m clip_ae verify --config-json {params.config:q} 2>&1 | tee {log}"
