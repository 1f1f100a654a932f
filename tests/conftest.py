"""Tests marked `gpu` need a GPU: without one they skip, and fail where CLIP_AE_EXPECT_GPU=1 says that there is one."""

import os

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is None:
        return
    import torch

    if not torch.cuda.is_available():
        if os.environ.get("CLIP_AE_EXPECT_GPU") == "1":
            pytest.fail("CLIP_AE_EXPECT_GPU=1, but torch finds no GPU here", pytrace=False)
        pytest.skip("needs a GPU")
