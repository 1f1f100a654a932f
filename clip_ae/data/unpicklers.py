"""Unpicklers that hash nothing but text and numbers.

A pickle can refer to a value twice, so a few bytes can describe a tree of 2^40 values. Whatever visits all of them
would never end: the hash of a tuple, its text, a loop over nested dicts.
"""

import pickle
from collections.abc import Callable
from typing import IO, Any, ClassVar

Operation = Callable[[Any], None]
SET_OPCODES = (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET)
# Containers of Python, which PyTorch makes itself.
CONTAINER_MODULES = ("collections", "builtins", "__builtin__")
# Where an operation finds the keys of a dict on the stack; those of the last two are above the last mark.
KEYS = {pickle.SETITEM: slice(-2, -1), pickle.SETITEMS: slice(0, None, 2), pickle.DICT: slice(0, None, 2)}


def _with_checks(opcode: bytes, operation: Operation) -> Operation:
    """The operation of an opcode, refused if it would hash anything but text and numbers."""

    def check_and_run(unpickler: Any) -> None:
        if opcode in SET_OPCODES:
            raise ValueError("has a set")
        for key in unpickler.stack[KEYS[opcode]]:
            if not isinstance(key, str | bytes | int | float | None):
                raise ValueError(f"has a {type(key).__name__} as a key")
        operation(unpickler)

    return check_and_run if opcode in SET_OPCODES or opcode in KEYS else operation


# The unpickler in Python, not in C: in C a memo index of five bytes allocates up to 64 GB.
class PlainUnpickler(pickle._Unpickler):
    """Unpickles plain values; the keys of its dicts are text or numbers, and it takes no sets: both are hashed."""

    dispatch: ClassVar[dict[int, Operation]] = {
        code: _with_checks(bytes([code]), operation) for code, operation in pickle._Unpickler.dispatch.items()
    }


class Placeholder:
    """Stands for any object of a pickle that is only checked; it ignores what the pickle gives it."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        pass


class EmptyContainer(Placeholder):
    """Stands for a container such as OrderedDict. It must begin empty: it would hash the values that it is made of."""

    def __init__(self, *content: object) -> None:
        if content:
            raise ValueError("has a container that is made of other values")

    def __setstate__(self, state: object) -> None:
        # The keys of a dict were checked when it was made.
        if not isinstance(state, dict):
            raise ValueError("has a container with a state")


class CheckingUnpickler(PlainUnpickler):
    """Goes through a pickle without importing or calling anything, and raises ValueError where it would hash values."""

    def __init__(self, file: IO[bytes]) -> None:
        # Text by Python 2 can have any encoding.
        super().__init__(file, encoding="bytes")

    def find_class(self, module: str, name: str) -> type:
        return EmptyContainer if module in CONTAINER_MODULES and name != "bytearray" else Placeholder

    def persistent_load(self, pid: object) -> Placeholder:
        return Placeholder()
