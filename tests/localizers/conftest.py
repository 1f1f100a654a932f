import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Layers this small are up to fifty times slower on two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
