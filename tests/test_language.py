"""Plain words: a short list of private words stays out of names, docstrings, messages, comments and docs."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import ROOT

# Each has a plain word: labels, adapted, input, audio, a failure row, next to, any ...
BANNED = re.compile(
    r"\b(told|taught|untaught|unheard|learnt by heart|nobody knows|whoever|what it is that|is passed over|speaks? of"
    r"|stands? beside|costs? a (?:line|row)|a line says so|by its own word|fed to|are fed|is fed)\b",
    re.IGNORECASE,
)
# Parts of names. Strings may have them: JSON keys such as `mapping.headline` are read by other programs.
BANNED_IN_NAMES = {"told", "taught", "untaught", "headline", "headlines", "recipe", "recipes", "knob", "knobs"}
PYTHON = sorted([*(ROOT / "clip_ae").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs").glob("*.py")])
CODE = sorted([*(ROOT / "clip_ae").rglob("*.py"), *(ROOT / "workflow").rglob("*.smk"), ROOT / "Snakefile"])
TEXTS = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        *ROOT.glob("*.md"),
        *(ROOT / "workflow").rglob("*.smk"),
        *(ROOT / "workflow").rglob("*.rst"),
        *(ROOT / "configs").glob("*.yaml"),
        *(ROOT / "profiles").rglob("*.yaml"),
        *(ROOT / "clip_ae").rglob("*.js"),
        ROOT / "config.yaml",
        ROOT / "Snakefile",
    ]
)
DOCS_WIDTH = 100


def texts_of(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every docstring, message and comment of a Python file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for number, line in enumerate(source.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            yield number, line


@pytest.mark.parametrize("path", PYTHON, ids=lambda p: str(p.relative_to(ROOT)))
def test_code_has_no_private_words(path: Path) -> None:
    found = [(line, m[0]) for line, text in texts_of(path.read_text()) for m in BANNED.finditer(text)]
    assert not found, f"{path}: say it plainly (CONTRIBUTING.md): {found}"


def find_private_names(path: Path) -> list[tuple[int, str]]:
    """(line, name) of every function, class, argument, variable and attribute with a banned part."""
    with path.open("rb") as file:
        names = [(t.start[0], t.string) for t in tokenize.tokenize(file.readline) if t.type == tokenize.NAME]
    # Parts of snake_case and of CamelCase.
    return [
        (line, name)
        for line, name in names
        if not BANNED_IN_NAMES.isdisjoint(part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))
    ]


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_names_have_no_private_words(path: Path) -> None:
    found = find_private_names(path)
    assert not found, f"{path}: use the names of docs/glossary.md: {found}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_docs_have_no_private_words(path: Path) -> None:
    lines = enumerate(path.read_text().splitlines(), start=1)
    found = [(number, m[0]) for number, line in lines for m in BANNED.finditer(line)]
    assert not found, f"{path}: say it plainly (CONTRIBUTING.md): {found}"


def test_the_list_catches_a_private_word() -> None:
    source = '"""What a run is told."""\n\nraise UserError("a broken video costs a row")\n# whoever reads it\n'
    assert [m[0] for _, text in texts_of(source) for m in BANNED.finditer(text)] == ["told", "costs a row", "whoever"]


def test_the_list_catches_a_private_name(tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text(
        "class TaughtRun:\n    recipe = 1\n\n\ndef _labels(told, retold):\n    MAIN_HEADLINE = retold['headline']\n"
    )
    assert find_private_names(path) == [(1, "TaughtRun"), (2, "recipe"), (5, "told"), (6, "MAIN_HEADLINE")]


@pytest.mark.parametrize("path", [p for p in TEXTS if p.suffix == ".md"], ids=lambda p: p.name)
def test_docs_wrap(path: Path) -> None:
    """Prose has at most 100 columns; rows of tables, code and long links may be wider."""
    is_code, wide = False, []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        is_code ^= line.startswith("```")
        if len(line) > DOCS_WIDTH and not (is_code or line.startswith(("|", "!["))) and " " in line[DOCS_WIDTH:]:
            wide.append(number)
    assert not wide, f"{path}: lines {wide} are wider than {DOCS_WIDTH}"


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name)
def test_every_page_links_to_the_glossary(path: Path) -> None:
    assert path.name == "glossary.md" or "glossary.md" in path.read_text()


@pytest.mark.parametrize("path", [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")], ids=lambda p: p.name)
def test_links_to_files_and_headings_resolve(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        page = (path.parent / file).resolve() if file else path
        assert page.exists(), f"{path.name}: {target}"
        if anchor and page.suffix == ".md":
            headings = re.findall(r"^#+ +(.*)$", page.read_text(), re.MULTILINE)
            assert anchor in map(slug, headings), f"{path.name}: {target}"


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub and MkDocs make it."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")
