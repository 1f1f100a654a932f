"""Inference of a network on CPUs by OpenVINO, which reaches the processor's matrix rate where torch does not."""

import sys
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor, nn

from clip_ae.core.config.streams import ResolvedPrecision
from clip_ae.core.errors import UserError

MIN_VERSION = (2026, 2)
# OpenVINO's names of our precisions.
PRECISION_NAMES: Mapping[ResolvedPrecision, str] = {"fp32": "f32", "bf16": "bf16"}
Forward = Callable[[Tensor], Tensor]


class UnsupportedNetwork(UserError):
    """A network with a layer that OpenVINO does not know."""


class ForwardModule(nn.Module):
    """A method of a network as a module: what torch exports."""

    def __init__(self, network: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.network, self.function = network, forward

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class OpenvinoForward:
    """The forward pass, compiled for the shape of its first input: batches have one shape."""

    def __init__(self, network: nn.Module, forward: Forward, precision: ResolvedPrecision) -> None:
        check_openvino()
        self.module, self.precision = ForwardModule(network, forward).eval(), precision
        self.requests: dict[torch.Size, Any] = {}

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape not in self.requests:
            self.requests[x.shape] = compile_for_shape(self.module, x, self.precision)
        (output,) = self.requests[x.shape].infer([x.contiguous().numpy()]).values()
        # A copy: the next call overwrites OpenVINO's own buffer.
        return torch.from_numpy(output.copy())


def compile_for_shape(module: nn.Module, example: Tensor, precision: ResolvedPrecision) -> Any:
    """An inference request for inputs like the example. It uses as many threads as torch does."""
    openvino = import_openvino()
    # Not under inference_mode: its tensors cannot be exported.
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            model = openvino.convert_model(torch.export.export(module, (example.clone(),)))
        # Both libraries have errors of their own for a layer that they do not know.
        except Exception as error:
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise UnsupportedNetwork(
                f"backend openvino: cannot run this network ({reason}); set backend to torch"
            ) from None
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": PRECISION_NAMES[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        # Jobs that run side by side would all be pinned to the first cores.
        "ENABLE_CPU_PINNING": False,
    }
    return openvino.compile_model(model, "CPU", config).create_infer_request()


def import_openvino() -> Any:
    """The library, without its telemetry: importing it would report to its makers."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


def check_openvino() -> None:
    """Raise a UserError unless a version that is known to work is installed."""
    problem = find_openvino_problem()
    if problem:
        raise UserError(f"backend openvino: {problem}; pip install 'clip-ae[openvino]', or set backend to torch")


def find_openvino_problem() -> str | None:
    """Why OpenVINO cannot be used here; None if it can."""
    try:
        installed = version("openvino")
    except PackageNotFoundError:
        return "openvino is not installed"
    numbers = tuple(int(part) for part in installed.split(".")[:2] if part.isdigit())
    if numbers < MIN_VERSION:
        return f"openvino {installed} is too old, {'.'.join(map(str, MIN_VERSION))} is needed"
    return None
