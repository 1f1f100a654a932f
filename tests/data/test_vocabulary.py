"""The vocabulary that names clusters."""

import pytest

from clip_ae.core.errors import UserError
from clip_ae.data.vocabulary import VocabularyEntry, read_vocabulary
from tests.builders import ROOT


def write(folder, text):
    path = folder / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_names_and_their_descriptions(tmp_path):
    path = write(tmp_path, "# kitchen\nboiling water\n\n  сидеть  # to sit\ndiving: a person dives; a jump ; \n")
    assert read_vocabulary(path) == [
        VocabularyEntry("boiling water"),
        VocabularyEntry("сидеть"),
        VocabularyEntry("diving", ("a person dives", "a jump")),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs at least two names"),
        ("one\n", "needs at least two names"),
        ("a\nb\na\n", "'a' appears twice"),
        ("a\n: b\n", "line 2: expected a name"),
        ("a\nb: ;\n", "line 2: expected a name"),
    ],
)
def test_mistakes_are_refused_with_a_reason(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        read_vocabulary(write(tmp_path, text))


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot read the vocabulary"):
        read_vocabulary(tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["everyday", "demo"])
def test_vocabularies_of_the_project_can_be_read(name):
    words = read_vocabulary(ROOT / f"workflow/vocabularies/{name}.txt")
    assert len(words) >= (300 if name == "everyday" else 15)
