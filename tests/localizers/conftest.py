import pytest


@pytest.fixture(autouse=True, scope="module")
def _small_layers(one_thread: None) -> None:
    """Every test here trains or runs layers of a few numbers."""
