import torch
import torch.nn.functional as F

from clip_ae.localizers.memory_bank import MemoryBank


def made(momentum=0.5):
    torch.manual_seed(0)
    return MemoryBank(5, 8, momentum)


def test_rows_start_at_random_on_the_unit_sphere():
    bank = made().bank
    torch.testing.assert_close(bank.norm(dim=1), torch.ones(5))
    assert torch.linalg.matrix_rank(bank) == 5


def test_an_update_moves_the_videos_rows_and_no_other():
    memory, z = made(), F.normalize(torch.randn(2, 8), dim=1)
    before = memory.bank.clone()
    memory.update(torch.tensor([3, 1]), z)
    torch.testing.assert_close(memory.bank[3], F.normalize(0.5 * before[3] + 0.5 * z[0], dim=0))
    torch.testing.assert_close(memory.bank[1], F.normalize(0.5 * before[1] + 0.5 * z[1], dim=0))
    assert torch.equal(memory.bank[[0, 2, 4]], before[[0, 2, 4]])


def test_momentum_is_the_share_that_is_kept():
    memory, z = made(1.0), torch.randn(1, 8)
    before = memory.bank.clone()
    memory.update(torch.tensor([0]), z)
    torch.testing.assert_close(memory.bank, before)
