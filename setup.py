"""Copy what the package needs at run time from the repository's root into the wheel: clip_ae/resources."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
RESOURCES = ("Snakefile", "config.yaml", "configs", "workflow", "profiles", "envs")


class BuildWithResources(build_py):
    """An editable install needs no copy: clip_ae/workflow/resources.py finds the files in the checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "clip_ae" / "resources"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in RESOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, target / name)


setup(cmdclass={"build_py": BuildWithResources})
