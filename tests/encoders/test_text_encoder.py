"""Text embeddings, and reports of texts that CLIP cuts or cannot read; with the real tokenizer."""

import numpy as np
import pytest
import torch

from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.errors import UserError
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.text_encoder import TextTower

# With the tokens of start and end: exactly as many tokens as the tiny CLIP reads.
FULL = "one two three four five six seven eight nine ten red green blue white"


@pytest.fixture(scope="module")
def tower() -> TextTower:
    torch.manual_seed(0)
    metadata = {"name": "eyes", "clip": {"architecture": "tiny"}}
    return TextTower(NetworkWeights(metadata, get_tensors(clip.build(ClipOptions("tiny")))), "cpu")


@pytest.mark.parametrize("text", ["", "  ", "\n\t", "\u3000"])
def test_an_empty_text_is_an_error_with_its_index(tower: TextTower, text: str) -> None:
    with pytest.raises(UserError, match=r"^texts: text 1 is empty; describe what the video shows$"):
        tower.embed(["a ball", text])


def test_an_uncut_text_has_no_problem(tower: TextTower) -> None:
    for text in ("a ball", FULL, "żółw", "¿Qué? 12 % & <3", "naïve 🏀 déjà-vu"):
        assert tower.find_text_problems(text) == [], text


def test_a_cut_text_is_reported_with_its_number_of_tokens(tower: TextTower) -> None:
    (line,) = tower.find_text_problems(f"{FULL} pink")
    assert line == (
        '"one two three four five six seven eight nine ten red gre...: CLIP reads 16 of its 17 tokens; use fewer words'
    )
    full, one_more, two_more = tower.embed([FULL, f"{FULL} pink", f"{FULL} pink bouncing"])
    assert np.array_equal(one_more, two_more)
    assert np.array_equal(one_more, full)


@pytest.mark.parametrize("text", ["сидеть", "a мяч", "跳ぶ", "الكرة", "σφαίρα"])
def test_non_latin_letters_are_reported(tower: TextTower, text: str) -> None:
    assert [line for line in tower.find_text_problems(text) if line.startswith(f'"{text}": not in Latin letters')]
    assert np.isfinite(tower.embed([text])).all()


def test_a_problem_is_one_line_for_any_text(tower: TextTower) -> None:
    cut_line, script_line = tower.find_text_problems("мяч\n" * 1000)
    assert len(cut_line) < 150
    assert "\n" not in cut_line + script_line
    for text in ("", "\ud800", "\x00", "İ" * 50, "\U0001d160" * 50):
        assert all("\n" not in line for line in tower.find_text_problems(text))


def test_a_published_clip_reads_77_tokens() -> None:
    assert clip.get_tokenizer(ClipOptions()).context_length == 77
