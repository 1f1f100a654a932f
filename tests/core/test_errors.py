from clip_ae.core.errors import MAX_MESSAGE, MAX_WORD, format_message, suggest_name


def test_a_message_is_one_line_of_bounded_length() -> None:
    assert format_message("a\nb\x1b[2J") == "a b [2J"
    long = format_message("begin" + "x" * 10_000_000 + "end")
    assert long.startswith("begin")
    assert long.endswith("end")
    assert "(9,998,008 more characters)" in long
    assert len(long) < MAX_MESSAGE + 50


def test_only_words_of_usual_length_are_compared_with_known_names() -> None:
    assert suggest_name("probbe", ["probe", "show"]) == "; did you mean 'probe'?"
    assert suggest_name("x" * (MAX_WORD + 1), ["x" * MAX_WORD]).startswith("; known: ")
