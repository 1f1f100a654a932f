"""Batches of one shape; their size fits the memory and is halved when memory runs out."""

import numpy as np
import pytest
import torch

from clip_ae.core.errors import UserError
from clip_ae.encoders.batch_size import BatchedEncoder, estimate_batch_size

ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)
GIB = 1 << 30


MEMORY_ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
]


class SmallDevice:
    """A device whose memory is enough for `capacity` snippets."""

    def __init__(self, capacity: int, error: Exception = MEMORY_ERRORS[0]) -> None:
        self.capacity, self.error = capacity, error
        self.sizes: list[int] = []

    def __call__(self, batch):
        self.sizes.append(len(batch))
        if len(batch) > self.capacity:
            raise self.error
        return batch * 2


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 10])
def test_all_batches_have_one_shape(batch):
    encode = SmallDevice(99)
    assert BatchedEncoder(encode, batch, "cpu")(ROWS).tolist() == (ROWS * 2).tolist()
    assert encode.sizes == [batch] * -(-7 // batch)


@pytest.mark.parametrize(("capacity", "final_size"), [(8, 8), (5, 4), (1, 1)])
def test_halving_changes_no_feature_and_is_permanent(capacity, final_size, capsys):
    encode = SmallDevice(capacity)
    network = BatchedEncoder(encode, 8, "cuda:1")
    assert network(ROWS).tolist() == (ROWS * 2).tolist()
    assert network.batch_size == final_size
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == {8: 0, 4: 1, 1: 3}[final_size]
    assert all(line.startswith("cuda:1: out of memory; continuing with batch size ") for line in lines)
    encode.sizes.clear()
    network(ROWS)
    assert set(encode.sizes) == {final_size}


@pytest.mark.parametrize("error", MEMORY_ERRORS, ids=str)
def test_all_out_of_memory_messages_are_recognised(memory, error):
    network = BatchedEncoder(SmallDevice(3, error), 8, "cuda:0")
    assert network(ROWS).tolist() == (ROWS * 2).tolist()
    assert network.batch_size == 2
    assert estimate_batch_size(SmallDevice(1, error), ROWS[0], "cuda:0") == 1


def test_other_errors_are_raised(memory):
    broken = SmallDevice(0, RuntimeError("shapes do not fit"))
    for act in (
        lambda: BatchedEncoder(broken, 8, "cuda:0")(ROWS),
        lambda: estimate_batch_size(broken, ROWS[0], "cuda:0"),
    ):
        with pytest.raises(RuntimeError, match="shapes do not fit"):
            act()


def test_out_of_memory_in_a_later_piece_restarts_the_batch():
    """Rows before the failed piece are not repeated."""
    fails = iter([False, True, False, False, False, False])

    def encode(batch):
        if next(fails):
            raise torch.OutOfMemoryError
        return batch

    assert BatchedEncoder(encode, 4, "cpu")(ROWS).tolist() == ROWS.tolist()


def test_a_device_too_small_for_one_snippet_is_an_error():
    with pytest.raises(UserError, match=r"^cuda:0: not enough memory for one snippet; .* set device to cpu$"):
        BatchedEncoder(SmallDevice(0), 4, "cuda:0")(ROWS)


@pytest.fixture
def memory(monkeypatch):
    """A GPU with 10 GiB free and 1 GiB used by the network; `bytes_of_batch` gives the bytes that `encode` needs."""
    state = {"free": 10 * GIB, "peak": 0, "bytes_of_batch": {}}

    def encode(batch):
        num_bytes = state["bytes_of_batch"](len(batch))
        if num_bytes > state["free"]:
            raise torch.OutOfMemoryError
        state["peak"] = max(state["peak"], GIB + num_bytes)
        return batch

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (state["free"], 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: GIB)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: state["peak"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: state.update(peak=GIB))
    return state, encode


@pytest.mark.parametrize(
    ("fixed_bytes", "bytes_per_snippet", "batch"),
    [
        (0, GIB, 4),  # 70 % of the 9 besides the first are 6, and one makes 7
        (GIB, GIB, 4),  # 5.6, and one makes 6
        (0, GIB // 10, 64),  # 70, limited to MAX_BATCH_SIZE = 64
        (0, 3 * GIB, 2),  # 1.6, and one makes 2
        (0, 8 * GIB, 1),  # two do not fit
        (0, 11 * GIB, 1),  # nor does one: that is an error when it is encoded
        (GIB, 0, 64),
    ],
)
def test_the_batch_size_is_a_power_of_two_that_fits_the_free_memory(memory, fixed_bytes, bytes_per_snippet, batch):
    state, encode = memory
    state["bytes_of_batch"] = lambda snippets: fixed_bytes + bytes_per_snippet * snippets
    assert estimate_batch_size(encode, ROWS[0], "cuda:0") == batch


def test_memory_of_the_first_pass_is_not_counted(memory):
    state, encode = memory
    passes = iter([6 * GIB, 0, 6 * GIB, 0])
    state["bytes_of_batch"] = lambda snippets: next(passes) + GIB * snippets
    assert estimate_batch_size(encode, ROWS[0], "cuda:0") == 4


def test_the_batch_size_is_chosen_once_and_logged(memory, capsys):
    state, encode = memory
    state["bytes_of_batch"] = lambda snippets: GIB * snippets
    network = BatchedEncoder(encode, 0, "cuda:0")
    assert (network.choose_batch_size(ROWS[0]), network.choose_batch_size(ROWS[0])) == (4, 4)
    assert capsys.readouterr().err == "batch size 4 snippets, chosen from the free memory of cuda:0\n"
    assert BatchedEncoder(encode, 3, "cuda:0").choose_batch_size(ROWS[0]) == 3
