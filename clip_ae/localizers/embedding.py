"""The temporal convolution with which most localizers of this field begin."""

from torch import Tensor, nn


class Embedding(nn.Module):
    """E = Dropout(ReLU(Conv1d_k3 x)): [B, T, dim] -> [B, T, width]."""

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(dim, width, kernel_size=3, padding=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.dropout(self.convolution(x.transpose(1, 2)).relu()).transpose(1, 2)
        return embedded
