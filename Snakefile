# CLIP-AE: from raw untrimmed videos to mean average precision.
#
#   snakemake --cores 8 results/thumos14_map.json       scores of the main run
#   snakemake --cores 8 results/mine_detections.json    segments, no annotations needed
#   snakemake --cores 8 results/demo_report.html        a page to look at
#   snakemake --cores 1 verify                          lists outputs that are out of date
from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/adapters.smk"
include: "workflow/rules/learn.smk"
include: "workflow/rules/localize.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        "results/demo_map.json",
        "results/demo_detections.json",
        "results/demo_report.html",
