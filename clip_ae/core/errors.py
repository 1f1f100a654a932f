"""Errors that a user can act on: one line that says what is wrong, where, and what to do."""

import difflib
import errno
import os
from collections.abc import Iterable

# Names listed in a message.
MAX_NAMES_SHOWN = 20
# Characters of a message that are shown. Files may have names of any length.
MAX_MESSAGE = 2000
# Errors that name no path come from the standard output.
STANDARD_OUTPUT_ERRORS = (errno.ENOSPC, errno.EFBIG)
# A longer word is no misspelt name, and comparing it takes long.
MAX_WORD = 200


class ClipAeError(Exception):
    """Base of the errors that end in one line instead of a traceback."""

    exit_code = 1


class UserError(ClipAeError):
    """A mistake in the config, the paths or the annotations."""

    exit_code = 2


class RefusedInput(ClipAeError):
    """A corrupt or hostile input that policy does not allow."""

    exit_code = 3


class Unreadable(Exception):
    """A video, or the rest of it, cannot be read; `kind` is one of the kinds in docs/data-formats.md."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def find_similar_name(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like the word; None if no name is as similar as `cutoff`, of 1."""
    if len(word) > MAX_WORD:
        return None
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=cutoff)), None)


def suggest_name(word: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' for a misspelt word, or the known words when nothing is near."""
    names = sorted(known)
    similar = find_similar_name(word, names)
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return f"; did you mean '{similar}'?" if similar else f"; known: {', '.join(names[:MAX_NAMES_SHOWN])}{more}"


def format_message(text: str) -> str:
    """A message for the terminal: one line, shortened in the middle if it is very long."""
    if len(text) > MAX_MESSAGE:
        half = MAX_MESSAGE // 2
        text = f"{text[:half]} ... ({len(text) - 2 * half:,} more characters) ... {text[-half:]}"
    return make_printable(text)


def make_printable(text: str) -> str:
    """The text in one line, without control characters: names in files may have any character."""
    return "".join(c if c.isprintable() else " " for c in text)


def describe_system_error(error: Exception) -> str | None:
    """What the system refused and what to do, in one line; None for a mistake in this program."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this input; use a smaller one, or a machine with more"
    if isinstance(error, UnicodeEncodeError):
        around = str(error.object)[max(0, error.start - MAX_WORD // 4) : error.end + MAX_WORD // 4]
        return f"{around!r}: a name has bytes that are not UTF-8; rename the file"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; check the path and your rights"
    if isinstance(error, FileNotFoundError) and not _has_current_folder():
        return "the current folder is not there any more; change to another"
    if isinstance(error, OSError) and error.errno in STANDARD_OUTPUT_ERRORS:
        return f"the output cannot be written: {error.strerror}"
    return None


def _has_current_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def describe_error(error: Exception) -> str:
    """The first line of a library's error, or its type if it says nothing."""
    return make_printable(str(error).strip().partition("\n")[0]) or type(error).__name__
