"""Tables as aligned Markdown, and as CSV that is read back without loss."""

import csv
import io
import json
import re

from clip_ae.pages.markdown import (
    format_csv,
    render_bullets,
    render_markdown_page,
    render_markdown_table,
    render_section,
)


def test_text_columns_are_left_and_numbers_right() -> None:
    assert render_markdown_table(
        ["run", "0.5"], [["a", "7.1 ± 0.2"], ["longer", "-"]], num_text_columns=1
    ).splitlines() == [
        "| run    |       0.5 |",
        "| ------ | --------: |",
        "| a      | 7.1 ± 0.2 |",
        "| longer |         - |",
    ]


def test_a_vertical_bar_in_a_cell_is_escaped() -> None:
    lines = render_markdown_table(["name", "x"], [["a|b", "1"]], num_text_columns=1).splitlines()
    assert lines[2] == "| a\\|b |   1 |"
    assert len({len(line) for line in lines}) == 1
    assert len(re.findall(r"(?<!\\)\|", lines[2])) == 3


def test_long_notes_are_wrapped_inside_their_item() -> None:
    lines = render_bullets(["word " * 60, "short"]).splitlines()
    assert max(map(len, lines)) <= 110
    assert [line[:2] for line in lines] == ["- ", "  ", "  ", "- "]


def test_a_page_separates_its_parts_and_hides_its_provenance() -> None:
    provenance = json.dumps({"spec": {"dataset": "-->"}})
    text = render_markdown_page(
        "Title", ["lead"], [render_section("One", "", "body"), render_section("Two", "end")], provenance
    )
    content, comment = text.split("<!-- provenance ")
    assert content == "# Title\n\n- lead\n\n## One\n\nbody\n\n## Two\n\nend\n\n"
    assert comment.index("-->") == len(comment) - len("-->\n")
    assert json.loads(comment.removesuffix(" -->\n")) == {"spec": {"dataset": "-->"}}


def test_csv_quotes_special_characters() -> None:
    rows = [["a, b", '"x"', "1.5"], ["two\nlines", "", "-"]]
    assert list(csv.reader(io.StringIO(format_csv(["p", "q", "r"], rows)))) == [["p", "q", "r"], *rows]
