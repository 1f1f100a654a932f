# Networks: trained here for the demo, fetched or read elsewhere; hash-checked and converted once.


rule pretrain:
    output:
        at.PRETRAINED,
    log:
        "results/pretrained/logs/pretrain/{name}.log",
    benchmark:
        "results/pretrained/benchmarks/pretrain/{name}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    params:
        cfg=cfg("pretrain"),
        code=code("pretrain"),
    shell:
        "python -m clip_ae pretrain --cfg {params.cfg:q} --out {output} 2>&1 | tee {log} >&2"


rule weights:
    input:
        pretrained,
    output:
        at.WEIGHTS,
    log:
        "results/weights/logs/weights/{name}.log",
    benchmark:
        "results/weights/benchmarks/weights/{name}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        cfg=cfg("weights"),
        code=code("weights"),
        file=source_file,
        pretrained=pretrained_option,
    shell:
        "python -m clip_ae weights --cfg {params.cfg:q} --out {output} {params.pretrained} 2>&1 | tee {log} >&2"
