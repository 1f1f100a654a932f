"""Deviation of a faster setting from fp32, logged once."""

import numpy as np
import pytest

from clip_ae.encoders.batch_size import BatchedEncoder
from clip_ae.encoders.precision_check import PrecisionCheckedNetwork, measure_deviation


def test_deviation_is_the_lowest_cosine_and_the_largest_difference_relative_to_the_largest_value():
    exact = np.float32([[4, 0], [0, 2]])
    fast = np.float32([[4, 0], [2, 2]])
    cosine, difference = measure_deviation(fast, exact)
    assert cosine == pytest.approx(np.sqrt(0.5))
    assert difference == pytest.approx(0.5)
    assert measure_deviation(exact, exact) == (1, 0)


def test_equal_rows_of_zeros_agree():
    zeros, ones = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    assert measure_deviation(zeros, zeros) == (1, 0)
    assert measure_deviation(zeros, ones) == (0, 1)


def test_only_the_first_batch_is_compared(capsys):
    built = []

    def build_exact():
        built.append(True)
        return lambda batch: batch

    network = PrecisionCheckedNetwork(
        BatchedEncoder(lambda batch: batch * np.float32(1.1), 8, "cpu"), build_exact, "rgb in bf16"
    )
    batch = np.float32([[1, 0], [0, 10]])
    assert np.array_equal(network(batch), network(batch))
    assert len(built) == 1
    expected = "rgb in bf16 against fp32, first batch: cosine 1.00000, largest difference 10.00%\n"
    assert capsys.readouterr().err == expected


def test_the_exact_network_encodes_one_snippet_at_a_time():
    sizes = []

    def encode(batch):
        sizes.append(len(batch))
        return batch

    PrecisionCheckedNetwork(BatchedEncoder(lambda batch: batch, 8, "cpu"), lambda: encode, "rgb")(
        np.ones((5, 2), np.float32)
    )
    assert sizes == [1] * 5
