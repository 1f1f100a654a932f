"""How fast a machine multiplies matrices: what the cost of a network depends on."""

from dataclasses import dataclass

from clip_ae.core.config.streams import EncoderPrecision


@dataclass(frozen=True)
class MachineRates:
    """GFLOP/s of a matrix product; two operations for a multiply-add. Without bf16 instructions, bf16 is fp32."""

    fp32: float
    bf16: float

    def of(self, precision: EncoderPrecision) -> float:
        """The rate of a precision; `auto` takes the faster one."""
        return {"fp32": self.fp32, "bf16": self.bf16}.get(precision, max(self.fp32, self.bf16))
