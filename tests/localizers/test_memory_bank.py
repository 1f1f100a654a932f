import torch
import torch.nn.functional as F

from clip_ae.localizers.memory_bank import MemoryBank


def create_bank(momentum=0.5):
    torch.manual_seed(0)
    return MemoryBank(5, 8, momentum)


def test_initial_rows_are_random_unit_vectors():
    bank = create_bank().bank
    torch.testing.assert_close(bank.norm(dim=1), torch.ones(5))
    assert torch.linalg.matrix_rank(bank) == 5


def test_an_update_changes_the_given_rows_only():
    memory_bank, z = create_bank(), F.normalize(torch.randn(2, 8), dim=1)
    before = memory_bank.bank.clone()
    memory_bank.update(torch.tensor([3, 1]), z)
    torch.testing.assert_close(memory_bank.bank[3], F.normalize(0.5 * before[3] + 0.5 * z[0], dim=0))
    torch.testing.assert_close(memory_bank.bank[1], F.normalize(0.5 * before[1] + 0.5 * z[1], dim=0))
    assert torch.equal(memory_bank.bank[[0, 2, 4]], before[[0, 2, 4]])


def test_with_a_momentum_of_1_rows_do_not_change():
    memory_bank, z = create_bank(1.0), torch.randn(1, 8)
    before = memory_bank.bank.clone()
    memory_bank.update(torch.tensor([0]), z)
    torch.testing.assert_close(memory_bank.bank, before)
