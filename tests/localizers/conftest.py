import pytest


@pytest.fixture(autouse=True, scope="module")
def _small_layers(one_thread: None) -> None:
    """All tests here use tiny layers, for which one thread is fastest."""
