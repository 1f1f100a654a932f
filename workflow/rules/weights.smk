# Weights: trained for the demo, downloaded or read from a file; hash-checked and converted once.


rule pretrain:
    output:
        paths.PRETRAINED,
    log:
        "results/pretrained/logs/pretrain/{name}.log",
    benchmark:
        "results/pretrained/benchmarks/pretrain/{name}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    threads: CONFIG.torch_threads
    params:
        spec=digests.spec("pretrain"),
        code_digest=digests.code("pretrain"),
    shell:
        "python -m clip_ae pretrain --spec {params.spec:q} --out {output} > {log} 2>&1"


rule weights:
    input:
        inputs.pretrained,
    output:
        paths.WEIGHTS,
    log:
        "results/weights/logs/weights/{name}.log",
    benchmark:
        "results/weights/benchmarks/weights/{name}.tsv"
    conda:
        "../../envs/clip_ae.yaml"
    params:
        spec=digests.spec("weights"),
        code_digest=digests.code("weights"),
        weights_digest=digests.weights_file,
        pretrained=options.pretrained,
    shell:
        "python -m clip_ae weights --spec {params.spec:q} --out {output} {params.pretrained} > {log} 2>&1"
