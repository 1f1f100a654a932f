"""The code digest changes only with the meaning of the code, and only for modules that are used."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from clip_ae.core import provenance
from clip_ae.core.provenance import Provenance, collect_imports, digest_ids, digest_modules, serialize_tree

SAME = [
    ("x = 1  # a comment", "x = 1"),
    ('"""Module."""\nx = 1', "x = 1"),
    ('def f():\n    """Doc."""\n    return 1', "def f():\n\n    return 1"),
    ("x = {'a': 1}", 'x = {"a":1}'),
]
DIFFERENT = [
    ("x = 1", "x = 2"),
    ("x = 1", "x = 1.0"),
    ("x = 1", "x = '1'"),
    ("f(a, b)", "f(b, a)"),
    ("x = a + b", "x = a - b"),
    ("def f(): return 1", "def g(): return 1"),
    ("def f():\n    x = 'text'\n    'not a docstring'", "def f():\n    x = 'text'"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_words_for_people_do_not_count(a: str, b: str) -> None:
    assert serialize_tree(ast.parse(a)) == serialize_tree(ast.parse(b))


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_meaning_counts(a: str, b: str) -> None:
    assert serialize_tree(ast.parse(a)) != serialize_tree(ast.parse(b))


def test_the_digest_of_a_known_text_is_pinned() -> None:
    # Our own serializer must give the same text on every version of Python.
    source = "from a import b\n\ndef f(x: int = 1, *y, **z) -> str:\n    return f'{x!r:>3}' if x else [i for i in y]\n"
    assert provenance.digest(serialize_tree(ast.parse(source)))[:16] == "c3a450d7ba629bef"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package clip_ae of three modules: a stage that imports a helper, and a module that nothing imports."""
    root = tmp_path / "clip_ae"
    (root / "stages").mkdir(parents=True)
    for folder in (root, root / "stages"):
        (folder / "__init__.py").write_text("")
    (root / "stages" / "one.py").write_text("import os\nfrom clip_ae.helper import go\n\ndef run():\n    go()\n")
    (root / "helper.py").write_text("def go():\n    return 1\n")
    (root / "other.py").write_text("x = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE_DIR", root)
    _forget()
    yield root
    _forget()


def _forget() -> None:
    for cached in (provenance._tree, provenance._imports, provenance._module_digest):
        cached.cache_clear()


def _digest() -> str:
    _forget()
    return digest_modules(["clip_ae.stages.one"])


def test_a_pages_script_belongs_to_the_modules_of_its_folder(package: Path) -> None:
    before = _digest()
    (package / "stages" / "page.js").write_text("let x = 1;\n")
    (package / "stages" / "notes.txt.swp").write_bytes(b"\xff")
    with_script = _digest()
    assert with_script != before
    (package / "stages" / "page.js").write_text("let x = 2;\n")
    assert _digest() not in (before, with_script)


def test_an_edited_helper_moves_the_digest_of_its_users_only(package: Path) -> None:
    before = _digest()
    (package / "other.py").write_text("x = 2\n")
    assert _digest() == before
    (package / "helper.py").write_text('"""Now with words."""\n\ndef go():\n    # and more words\n    return 1\n')
    assert _digest() == before
    (package / "helper.py").write_text("def go():\n    return 2\n")
    assert _digest() != before


def test_named_modules_enter_with_what_they_import(package: Path) -> None:
    (package / "other.py").write_text("from clip_ae import helper\n")
    _forget()
    assert collect_imports(["clip_ae.other"]) == {"clip_ae.other", "clip_ae", "clip_ae.helper"}


def test_untracked_modules_exist_and_have_a_reason() -> None:
    for module, reason in provenance.UNTRACKED_MODULES.items():
        assert provenance.find_source_file(module), module
        assert reason


def test_a_record_survives_json_and_its_id_covers_its_inputs() -> None:
    record = Provenance("train", {"a": 1}, "c0de", {"labels": "1"}, {"numpy": "2"})
    assert Provenance.from_json(record.to_json()) == record
    assert Provenance("train", {"a": 1}, "c0de", {"labels": "2"}, {"numpy": "2"}).id != record.id
    assert json.loads(record.to_json())["format"] == provenance.FORMAT


def test_joined_ids_ignore_order() -> None:
    assert digest_ids(["b", "a"]) == digest_ids(["a", "b"]) != digest_ids(["a"])


def test_the_workflow_s_parse_needs_no_heavy_library() -> None:
    """common.smk is parsed in every cluster job, so its imports must be fast."""
    source = Path(provenance.PACKAGE_DIR.parent / "workflow/rules/common.smk").read_text()
    lines = [line for line in source.splitlines() if line.startswith("from clip_ae")]
    program = "\n".join([*lines, "import sys", "print(*(m for m in HEAVY if m in sys.modules))"])
    program = "HEAVY = ['torch', 'numpy', 'pyarrow', 'cv2', 'scipy', 'sklearn', 'open_clip']\n" + program
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
