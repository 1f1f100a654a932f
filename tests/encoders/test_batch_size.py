"""Batches of one shape, halved where they were too much."""

import numpy as np
import pytest
import torch

from clip_ae.core.errors import UserError
from clip_ae.encoders.batch_size import BatchedEncoder, estimate_batch_size

ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)
GIB = 1 << 30


SHORTAGES = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
]


class Small:
    """A device whose memory holds so many snippets."""

    def __init__(self, holds: int, shortage: Exception = SHORTAGES[0]) -> None:
        self.holds, self.shortage = holds, shortage
        self.sizes: list[int] = []

    def __call__(self, batch):
        self.sizes.append(len(batch))
        if len(batch) > self.holds:
            raise self.shortage
        return batch * 2


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 10])
def test_every_batch_has_one_shape(batch):
    encode = Small(99)
    assert BatchedEncoder(encode, batch, "cpu")(ROWS).tolist() == (ROWS * 2).tolist()
    assert encode.sizes == [batch] * -(-7 // batch)


@pytest.mark.parametrize(("holds", "left"), [(8, 8), (5, 4), (1, 1)])
def test_halving_changes_no_row_and_lasts(holds, left, capsys):
    encode = Small(holds)
    network = BatchedEncoder(encode, 8, "cuda:1")
    assert network(ROWS).tolist() == (ROWS * 2).tolist()
    assert network.batch_size == left
    told = capsys.readouterr().err.splitlines()
    assert len(told) == {8: 0, 4: 1, 1: 3}[left]
    assert all(line.startswith("cuda:1: out of memory; on with ") for line in told)
    encode.sizes.clear()
    network(ROWS)
    assert set(encode.sizes) == {left}


@pytest.mark.parametrize("shortage", SHORTAGES, ids=str)
def test_every_word_for_a_shortage_is_known(memory, shortage):
    network = BatchedEncoder(Small(3, shortage), 8, "cuda:0")
    assert network(ROWS).tolist() == (ROWS * 2).tolist()
    assert network.batch_size == 2
    assert estimate_batch_size(Small(1, shortage), ROWS[0], "cuda:0") == 1


def test_another_error_is_no_shortage(memory):
    broken = Small(0, RuntimeError("shapes do not fit"))
    for act in (
        lambda: BatchedEncoder(broken, 8, "cuda:0")(ROWS),
        lambda: estimate_batch_size(broken, ROWS[0], "cuda:0"),
    ):
        with pytest.raises(RuntimeError, match="shapes do not fit"):
            act()


def test_out_of_memory_in_a_later_piece_starts_the_batch_again():
    """The rows before it are not there twice."""
    fails = iter([False, True, False, False, False, False])

    def encode(batch):
        if next(fails):
            raise torch.OutOfMemoryError
        return batch

    assert BatchedEncoder(encode, 4, "cpu")(ROWS).tolist() == ROWS.tolist()


def test_a_device_too_small_for_one_snippet_is_told():
    with pytest.raises(UserError, match=r"^cuda:0: not even one snippet fits its memory; .* set device to cpu$"):
        BatchedEncoder(Small(0), 4, "cuda:0")(ROWS)


@pytest.fixture
def memory(monkeypatch):
    """A GPU with 10 GiB free of which 1 GiB is the network's; what `encode` takes is in `takes`."""
    state = {"free": 10 * GIB, "peak": 0, "takes": {}}

    def encode(batch):
        need = state["takes"](len(batch))
        if need > state["free"]:
            raise torch.OutOfMemoryError
        state["peak"] = max(state["peak"], GIB + need)
        return batch

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (state["free"], 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: GIB)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: state["peak"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: state.update(peak=GIB))
    return state, encode


@pytest.mark.parametrize(
    ("fixed", "each", "batch"),
    [
        (0, GIB, 4),  # 70 % of the 9 beside the first are 6, and one makes 7
        (GIB, GIB, 4),  # 5.6, and one makes 6
        (0, GIB // 10, 64),  # 70: no more than 64 make anything faster
        (0, 3 * GIB, 2),  # 1.6, and one makes 2
        (0, 8 * GIB, 1),  # two do not fit
        (0, 11 * GIB, 1),  # nor does one: that is told when it is encoded
        (GIB, 0, 64),
    ],
)
def test_the_batch_is_a_power_of_two_that_fits_what_is_free(memory, fixed, each, batch):
    state, encode = memory
    state["takes"] = lambda snippets: fixed + each * snippets
    assert estimate_batch_size(encode, ROWS[0], "cuda:0") == batch


def test_what_only_the_first_pass_takes_is_no_snippet_s(memory):
    state, encode = memory
    passes = iter([6 * GIB, 0, 6 * GIB, 0])
    state["takes"] = lambda snippets: next(passes) + GIB * snippets
    assert estimate_batch_size(encode, ROWS[0], "cuda:0") == 4


def test_the_size_is_chosen_once_and_told(memory, capsys):
    state, encode = memory
    state["takes"] = lambda snippets: GIB * snippets
    network = BatchedEncoder(encode, 0, "cuda:0")
    assert (network.choose_batch_size(ROWS[0]), network.choose_batch_size(ROWS[0])) == (4, 4)
    assert capsys.readouterr().err == "4 snippets a batch fit the free memory of cuda:0\n"
    assert BatchedEncoder(encode, 3, "cuda:0").choose_batch_size(ROWS[0]) == 3
