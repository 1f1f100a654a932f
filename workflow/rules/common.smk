# The config, and the functions of the rules. Every Snakemake job parses this file again: light imports only.
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
from clip_ae.workflow.run_log import shorten_run_log
from clip_ae.workflow.targets import check_targets


def fail(error):
    """Print one line and exit with the exit code of the error."""
    print(f"clip-ae: {make_printable(str(error))}", file=sys.stderr)
    sys.exit(error.exit_code)


def exit_on_error(function):
    """Wrap a function that runs while the DAG is built: an error is one line, not a traceback of Snakemake."""

    @functools.wraps(function)
    def wrapped(*arguments, **keywords):
        try:
            result = function(*arguments, **keywords)
        except ClipAeError as error:
            fail(error)
        return exit_on_error(result) if callable(result) else result

    return wrapped


class ExitOnError:
    """Wrap the methods of an object in exit_on_error."""

    def __init__(self, target):
        self.target = target

    def __getattr__(self, name):
        return exit_on_error(getattr(self.target, name))


def prepend_path(variable, folder):
    """Put a folder first in a search path of the jobs."""
    parts = os.environ.get(variable, "").split(os.pathsep)
    others = [part for part in parts if part and part != folder]
    os.environ[variable] = os.pathsep.join([folder, *others])


# Jobs run `python -m clip_ae` with this Python and this package, even if no environment is activated.
prepend_path("PATH", str(Path(sys.executable).parent))
prepend_path("PYTHONPATH", str(workflow.basedir))

# With one of these options, the output is Snakemake's own.
output = workflow.output_settings
if not (output.verbose or output.quiet or output.printshellcmds):
    shorten_run_log(logger, output.dryrun)

# `config` has the values of `--configfile` and `--config`; load_project_config adds the shipped files.
CONFIG = exit_on_error(load_project_config)(Path(), workflow.configfiles, config)
exit_on_error(check_targets)(sys.argv[1:], CONFIG)
DATASETS = {name: DatasetFiles(name, data) for name, data in CONFIG.datasets.items()}
inputs = ExitOnError(RuleInputs(CONFIG, DATASETS))
digests = ExitOnError(RuleDigests(CONFIG, DATASETS))
options = ExitOnError(RuleOptions(CONFIG, DATASETS, inputs.target))


def datasets_with(*sources):
    """A regex of the datasets with one of these sources; it matches nothing if there are none."""
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
