# What a person asks for: one file a dataset.


rule summarize:
    input:
        videos=at.VIDEOS,
        failures=at.FAILURES,
        seeds=summarized,
    output:
        report(
            at.SUMMARY,
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
        cfg=cfg("summarize"),
        code=code("summarize"),
        names=summary_names_option,
    shell:
        "python -m clip_ae summarize --cfg {params.cfg:q} --summary {wildcards.summary} --catalog {input.videos} "
        "--failures {input.failures} --runs results/{wildcards.dataset}/runs --out {output} {params.names} 2>&1 | tee {log} >&2"


rule diagnose:
    input:
        annotation_files,
        detections=headline_first(at.DETECTIONS),
        scores=headline_first(at.MAP),
        videos=at.VIDEOS,
    output:
        report(
            at.DIAGNOSIS,
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
        cfg=cfg("diagnose"),
        code=code("diagnose"),
        annotated=annotated,
        ground_truth=ground_truth_option,
    shell:
        "python -m clip_ae diagnose --cfg {params.cfg:q} --detections {input.detections} --scores {input.scores} "
        "--catalog {input.videos} --out {output} {params.ground_truth} 2>&1 | tee {log} >&2"


rule report:
    input:
        annotation_files,
        report_scores,
        report_training,
        headline(at.DETECTIONS),
        headline(at.CURVES),
        report_labels,
        names_files,
        moments_files,
        videos=at.VIDEOS,
        sound=report_sound,
        failures=at.FAILURES,
    output:
        report(
            at.REPORT,
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
        cfg=cfg("report"),
        code=code("report"),
        annotated=annotated,
        annotations=truth_option,
        names=names_option,
        moments=moments_option,
        diagnosis=diagnosis_option,
        sound=sound_option,
        source=report_source_option,
    shell:
        "python -m clip_ae report --cfg {params.cfg:q} --runs results/{wildcards.dataset}/runs --catalog {input.videos} "
        "--failures {input.failures} --out {output} {params.annotations} {params.diagnosis} {params.sound} "
        "{params.names} {params.moments} {params.source} 2>&1 | tee {log} >&2"


rule freeze:
    input:
        main_result=frozen,
    output:
        at.REPRO,
    log:
        "results/{dataset}/logs/freeze.log",
    benchmark:
        "results/{dataset}/benchmarks/freeze.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        cfg=cfg("freeze"),
        code=code("freeze"),
    shell:
        "python -m clip_ae freeze --cfg {params.cfg:q} --main-result {input.main_result} --out {output} 2>&1 | tee {log} >&2"


rule verify:
    log:
        "results/logs/verify.log",
    conda:
        "../../envs/clip_ae.yaml"
    params:
        config=to_canonical_json(CONFIG),
    shell:
        "python -m clip_ae verify --config-json {params.config:q} 2>&1 | tee {log}"
