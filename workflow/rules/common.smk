# The config, and what the rules take from it. Every cluster job parses this file again: light imports only.
import functools
import os
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from clip_ae.core import paths
from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.errors import ClipAeError, make_printable
from clip_ae.workflow.config_files import load_project_config
from clip_ae.workflow.dataset_files import DatasetFiles
from clip_ae.workflow.rule_digests import RuleDigests
from clip_ae.workflow.rule_inputs import RuleInputs
from clip_ae.workflow.rule_options import RuleOptions
from clip_ae.workflow.targets import check_targets


def fail(error):
    """End in one line, with the exit code that says whose mistake it was."""
    print(f"clip-ae: {make_printable(str(error))}", file=sys.stderr)
    sys.exit(error.exit_code)


def one_line(function):
    """A user's mistake that is met while the DAG is built ends in one line, not in Snakemake's traceback."""

    @functools.wraps(function)
    def wrapped(*arguments, **keywords):
        try:
            result = function(*arguments, **keywords)
        except ClipAeError as error:
            fail(error)
        return one_line(result) if callable(result) else result

    return wrapped


class OneLine:
    """An object whose methods end a user's mistake in one line."""

    def __init__(self, target):
        self.target = target

    def __getattr__(self, name):
        return one_line(getattr(self.target, name))


def prepend_path(variable, folder):
    """Set a search path of the jobs to begin with a folder."""
    parts = os.environ.get(variable, "").split(os.pathsep)
    others = [part for part in parts if part and part != folder]
    os.environ[variable] = os.pathsep.join([folder, *others])


# Jobs run `python -m clip_ae` with this very Python, activated or not, and with this very package.
prepend_path("PATH", str(Path(sys.executable).parent))
prepend_path("PYTHONPATH", str(workflow.basedir))

# Snakemake has merged `--configfile` and `--config` into `config`; what it lacks are the shipped files.
CONFIG = one_line(load_project_config)(Path(), workflow.configfiles, config)
one_line(check_targets)(sys.argv[1:], CONFIG)
DATASETS = {name: DatasetFiles(name, data) for name, data in CONFIG.datasets.items()}
inputs = OneLine(RuleInputs(CONFIG, DATASETS))
digests = OneLine(RuleDigests(CONFIG, DATASETS))
options = OneLine(RuleOptions(CONFIG, DATASETS, RuleInputs(CONFIG, DATASETS)))


def datasets_with(*sources):
    """A wildcard constraint: the datasets whose source is one of these keys."""
    names = [
        name for name, data in CONFIG.datasets.items() if set(sources) & {*data.sources}
    ]
    return "|".join(names) or "(?!)"


def shards(wildcards):
    return CONFIG.datasets[wildcards.dataset].shards


def streams(wildcards):
    return ",".join(CONFIG.datasets[wildcards.dataset].stream_names)


wildcard_constraints:
    **{**paths.WILDCARD_CONSTRAINTS, "dataset": "|".join(CONFIG.datasets)},
