"""Tests marked `gpu` need a GPU: without one they skip, and fail where CLIP_AE_EXPECT_GPU=1 says that there is one."""

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from clip_ae.core.progress import show_progress

# A busy machine takes longer than hypothesis allows by default; tests are not timed.
hypothesis.settings.register_profile("clip-ae", deadline=None)
hypothesis.settings.load_profile("clip-ae")


class Scheduling(LoadFileScheduling):
    """All tests of a file run in one process, as they share fixtures; test_kill uses the finished runs of test_runs."""

    def _split_scope(self, nodeid: str) -> str:
        return str(super()._split_scope(nodeid)).replace("workflow/test_kill.py", "workflow/test_runs.py")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Our own scheduler: pytest 9.2 does not read `_nodeid`, so the groups of pytest-xdist 3.8 have no effect."""
    return Scheduling(config, log)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Choices of a backend that the tests measure, on small networks, are not the user's."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def progress_lines() -> None:
    """Tests call stages and tools as the command line does: with progress lines on stderr."""
    show_progress()


# Fixtures that run Snakemake, and files that need a browser or Slurm: `make check` leaves these out.
WORKFLOW_FIXTURES = {"finished", "finished_folder", "folder_project", "tiny", "project"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name == "test_browser.py":
            item.add_marker(pytest.mark.browser)
        if item.path.name == "test_slurm.py":
            item.add_marker(pytest.mark.slurm)
        if WORKFLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.workflow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is None:
        return
    import torch

    if not torch.cuda.is_available():
        if os.environ.get("CLIP_AE_EXPECT_GPU") == "1":
            pytest.fail("CLIP_AE_EXPECT_GPU=1, but torch finds no GPU here", pytrace=False)
        pytest.skip("needs a GPU")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Run torch on one thread: layers of a few numbers are up to fifty times slower on two."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
