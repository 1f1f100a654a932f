"""The profiles, and the GPU that jobs with a network request unless the device is cpu."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.workflow.conftest import ROOT, SNAKEMAKE, bare_environment, make_tiny

# Six jobs that each request a GPU.
SNAKEFILE = """
rule all:
    input: expand("{n}.json", n=range(6))
rule job:
    output: "{n}.json"
    resources: gpu=1
    shell: "PYTHON job.py {output}"
"""
JOB = """
import json, sys, time
from pathlib import Path
from clip_ae.encoders.gpu_lock import acquire_gpu

began, gpu = time.time(), acquire_gpu("abcdef", Path("gpus"))
time.sleep(1)
Path(sys.argv[1]).write_text(json.dumps([began, time.time(), gpu]))
"""


def profile(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
    return data


def test_no_profile_repeats_a_key_of_the_default_which_would_win() -> None:
    for name in ("slurm", "local-gpu"):
        assert not profile(name).keys() & profile("default").keys()


def test_what_failed_is_granted_more_each_time() -> None:
    slurm = profile("slurm")
    assert slurm["retries"] > 0
    for granted in (slurm["default-resources"], *slurm["set-resources"].values()):
        assert re.fullmatch(r"\d+ \* attempt", granted["mem_mb"])


def test_no_more_jobs_than_gpus_run_at_a_time_and_none_shares_one(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("PYTHON", sys.executable))
    (tmp_path / "job.py").write_text(JOB)
    words = ("--profile", ROOT / "profiles/local-gpu", "--cores", "6", "--resources", "gpu=2")
    environment = bare_environment() | {"PYTHONPATH": str(ROOT)}
    subprocess.run([SNAKEMAKE, *words], cwd=tmp_path, env=environment, check=True, capture_output=True)
    jobs = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert len(jobs) == 6
    beside = [[gpu for start, end, gpu in jobs if start <= began < end] for began, _, _ in jobs]
    assert max(map(len, beside)) == 2
    assert all(len(set(gpus)) == len(gpus) for gpus in beside)


def rules_with_gpu(folder: Path, *words: str) -> list[str]:
    """The rules of all planned jobs that ask for a GPU."""
    done = make_tiny(folder).run("-n", "-p", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = (done.stdout + done.stderr).split("\nrule ")[1:]
    return [job.partition(":")[0] for job in jobs if re.search("^    resources: .*gpu=1", job, re.MULTILINE)]


def test_every_job_with_the_option_device_requests_a_gpu() -> None:
    rules = [rule for path in (ROOT / "workflow/rules").glob("*.smk") for rule in path.read_text().split("\nrule ")[1:]]
    named = {
        rule.partition(":")[0]: (bool(re.search(r'\.runtime\(\s*"device"', rule)), "gpu=" in rule) for rule in rules
    }
    assert {name for name, (has_device, _) in named.items() if has_device} >= {
        "extract",
        "train",
        "localize",
        "name_clusters",
    }
    assert [name for name, (has_device, has_gpu) in named.items() if has_device != has_gpu] == []


def test_networks_ask_for_a_gpu_and_the_first_clustering_does_not(tmp_path: Path) -> None:
    found = Counter(rules_with_gpu(tmp_path / "project"))
    assert found == {"extract": 8, "cluster": 1, "train": 2, "localize": 1, "find_moments": 1}


def test_where_no_gpu_may_be_used_none_is_asked_for(tmp_path: Path) -> None:
    assert rules_with_gpu(tmp_path / "project", "--config", "runtime={device: cpu}") == []
