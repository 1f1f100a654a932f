"""What a text tower reads, and what it says of what it does not; with the real tokenizer."""

import numpy as np
import pytest
import torch

from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.errors import UserError
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.text_encoder import TextTower

# With the marks of beginning and end as many tokens as the tiny CLIP reads.
FULL = "one two three four five six seven eight nine ten red green blue white"


@pytest.fixture(scope="module")
def tower() -> TextTower:
    torch.manual_seed(0)
    about = {"name": "eyes", "clip": {"architecture": "tiny"}}
    return TextTower(NetworkWeights(about, get_tensors(clip.build(ClipOptions("tiny")))), "cpu")


@pytest.mark.parametrize("text", ["", "  ", "\n\t", "\u3000"])
def test_an_empty_text_is_refused_by_its_place(tower: TextTower, text: str) -> None:
    with pytest.raises(UserError, match=r"^texts: text 1 is empty; say in words what is to be seen$"):
        tower.embed(["a ball", text])


def test_what_is_read_whole_needs_no_remark(tower: TextTower) -> None:
    for text in ("a ball", FULL, "żółw", "¿Qué? 12 % & <3", "naïve 🏀 déjà-vu"):
        assert tower.find_text_problems(text) == [], text


def test_a_text_that_is_cut_is_told_with_its_tokens(tower: TextTower) -> None:
    (line,) = tower.find_text_problems(f"{FULL} pink")
    assert line == (
        '"one two three four five six seven eight nine ten red gre...: CLIP reads 16 of its 17 tokens; '
        "say it in fewer words"
    )
    first, whole, cut = tower.embed([FULL, f"{FULL} pink", f"{FULL} pink bouncing"])
    assert np.array_equal(whole, cut)
    assert np.array_equal(whole, first)


@pytest.mark.parametrize("text", ["сидеть", "a мяч", "跳ぶ", "الكرة", "σφαίρα"])
def test_another_script_than_latin_is_told(tower: TextTower, text: str) -> None:
    assert [line for line in tower.find_text_problems(text) if line.startswith(f'"{text}": not in Latin letters')]
    assert np.isfinite(tower.embed([text])).all()


def test_a_remark_is_one_line_whatever_the_text(tower: TextTower) -> None:
    cut, foreign = tower.find_text_problems("мяч\n" * 1000)
    assert len(cut) < 150
    assert "\n" not in cut + foreign
    for text in ("", "\ud800", "\x00", "İ" * 50, "\U0001d160" * 50):
        assert all("\n" not in line for line in tower.find_text_problems(text))


def test_a_published_clip_reads_77_tokens() -> None:
    assert clip.get_tokenizer(ClipOptions()).context_length == 77
