"""The temporal convolution at the input of most localizers in this field."""

from torch import Tensor, nn


class Embedding(nn.Module):
    """E = ReLU(Conv1d_k3 x): [B, T, dim] -> [B, T, width].

    Without dropout: heads apply it later, before the classifier and not before the attention. Dropout before the
    attention would create random differences between snippets; a loss that rewards differences would be satisfied with
    them, and they do not exist at inference.
    """

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(dim, width, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.convolution(x.transpose(1, 2)).relu().transpose(1, 2)
        return embedding
