"""The temporal convolution with which most localizers of this field begin."""

from torch import Tensor, nn


class Embedding(nn.Module):
    """E = ReLU(Conv1d_k3 x): [B, T, dim] -> [B, T, width]. What is classified is dropped out later, attention not.

    A dropped-out attention differs from snippet to snippet by chance, and a loss that asks for differences is content
    with those: without dropout nothing of them is left.
    """

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(dim, width, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.convolution(x.transpose(1, 2)).relu().transpose(1, 2)
        return embedded
