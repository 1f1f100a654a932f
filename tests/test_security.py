"""No content of a file is run as code: read from the syntax trees, so the test depends on no particular attack."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from clip_ae.workflow.rule_options import option
from tests.test_layers import MODULES, ROOT, imports_of

# Who may say `pickle`, and why.
PICKLE = {
    "clip_ae/data/unpicklers.py": "reads it with classes of its own that do nothing",
    "clip_ae/media/decoder_process.py": "sends requests to its own child process",
    "clip_ae/media/decoder_service.py": "reads the requests of its own parent process",
    "clip_ae/pipeline/network_weights.py": "names the error of torch's weights_only reader",
}
# Calls that run what they are given.
FORBIDDEN = {"eval", "exec", "compile", "os.system", "os.popen", "marshal.loads", "shelve.open", "joblib.load"}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def value(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(word.value) for word in call.keywords if word.arg == name), None)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_is_read_is_run(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    if place not in PICKLE:
        assert not imports_of(path) & {"pickle", "dill", "cloudpickle", "marshal", "shelve"}
    for name, call in calls(path):
        assert name not in FORBIDDEN, f"{place}:{call.lineno}"
        if name in ("np.load", "numpy.load"):
            assert value(call, "allow_pickle") in (None, "False"), f"{place}:{call.lineno}"
        if name == "torch.load":
            assert value(call, "weights_only") == "True", f"{place}:{call.lineno}"
        if name == "yaml.load":
            # A subclass of yaml.SafeLoader, which constructs plain data only.
            assert ast.unparse(call.args[1]) == "_build_safe_loader(path)"
        if name.startswith("subprocess."):
            assert value(call, "shell") in (None, "False"), f"{place}:{call.lineno}"


def test_jobs_quote_what_a_file_may_be_called() -> None:
    """Paths in options are quoted for the shell; specs are quoted by Snakemake's :q."""
    assert option("videos", "a b; touch ran") == "--videos='a b; touch ran'"
    source = (ROOT / "clip_ae/workflow/rule_options.py").read_text()
    for name in (
        "source",
        "report_source",
        "annotations",
        "scoring_annotations",
        "ground_truth",
        "sentences",
        "vocabulary",
    ):
        body = source.split(f"def {name}(")[1].split("\n    def ")[0]
        assert "option(" in body, name
        assert "options_of(" not in body, name
    rules = (ROOT / "workflow/rules").glob("*.smk")
    shells = [line for path in rules for line in path.read_text().splitlines() if "params.spec" in line]
    assert shells
    assert all("{params.spec:q}" in line for line in shells if "{" in line)
