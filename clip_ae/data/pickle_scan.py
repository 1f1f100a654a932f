"""Find the arrays in the pickle of a npy file of objects: their shapes, types and positions in the file.

Nothing in the pickle is imported, called or built. The content of an array stays in the file: a record has its first
byte and its size. Memory is bounded by the number of opcodes (about 100 bytes each), not by numbers in the file.
"""

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# A file of 20,000 videos has about 600,000 opcodes.
MAX_OPCODES = 1_000_000
MAX_TEXT_BYTES = 1000
# Of an array, in numpy.
MAX_DIMENSIONS = 64
RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")


@dataclass(frozen=True)
class ByteRange:
    """A string of bytes in the file."""

    start: int
    size: int


@dataclass(frozen=True)
class GlobalName:
    """A name that a pickle would import."""

    name: str


@dataclass
class DtypeRecord:
    """A type as it is named in a pickle, such as f4; objects are O or O8."""

    name: str
    byte_order: str = "|"

    @property
    def is_object(self) -> bool:
        return self.name in ("O", "O8")


@dataclass
class ArrayRecord:
    """An array: its content is a range of the file, or the list of its objects."""

    shape: tuple[int, ...] = ()
    dtype: DtypeRecord = field(default_factory=lambda: DtypeRecord(""))
    is_fortran_order: bool = False
    content: Any = None


def scan_pickle(data: Any, position: int) -> Any:
    """Return what the pickle at `position` of `data` (bytes, or a map of a file) describes; ValueError if refused."""
    return PickleScanner(data, position).run()


class PickleScanner:
    """A stack machine of the opcodes that pickled arrays need."""

    def __init__(self, data: Any, position: int) -> None:
        self.data, self.position = data, position
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(MAX_OPCODES):
            opcode = bytes(self._take(1))
            if opcode == b".":
                return self.stack.pop()
            if opcode not in OPCODES:
                raise ValueError(f"has {NAMED_OPCODES.get(opcode, 'something other than arrays, lists and text')}")
            OPCODES[opcode](self)
        raise ValueError(f"has more than {MAX_OPCODES} values")

    # --- bytes and numbers of the file ---

    def _take(self, size: int) -> Any:
        start = self._skip(size)
        return self.data[start : start + size]

    def _skip(self, size: int) -> int:
        """Move over `size` bytes and return their start."""
        start = self.position
        if size > len(self.data) - start:
            raise ValueError("ends too early")
        self.position += size
        return start

    def unpack(self, form: str) -> int:
        return int(struct.unpack(form, bytes(self._take(struct.calcsize(form))))[0])

    def push_range(self, form: str) -> None:
        size = self.unpack(form)
        self.stack.append(ByteRange(self._skip(size), size))

    def push_text(self, form: str) -> None:
        self.stack.append(self._decode(self.unpack(form)))

    def push_long(self) -> None:
        self.stack.append(int.from_bytes(bytes(self._take(self.unpack("<B"))), "little", signed=True))

    def push_line_name(self) -> None:
        """Push the name whose module and last part are lines."""
        self.stack.append(GlobalName(f"{self._take_line()}.{self._take_line()}"))

    def _take_line(self) -> str:
        head = bytes(self.data[self.position : self.position + MAX_TEXT_BYTES])
        line, newline, _ = head.partition(b"\n")
        if not newline:
            raise ValueError("has a name without an end")
        self.position += len(line) + 1
        return line.decode()

    def _decode(self, size: int) -> str:
        if size > MAX_TEXT_BYTES:
            raise ValueError(f"has a text of {size} bytes")
        return bytes(self._take(size)).decode("utf-8", "surrogatepass")

    def as_text(self, value: Any) -> str:
        """Return a text that Python 3 stores as text, and Python 2 as bytes."""
        if isinstance(value, str):
            return value
        # Not str() of another value: a list of itself twice, thirty times over, has a text of gigabytes.
        if not isinstance(value, ByteRange):
            raise ValueError(f"has a {type(value).__name__} where a text belongs")
        if value.size > MAX_TEXT_BYTES:
            raise ValueError(f"has a text of {value.size} bytes")
        return bytes(self.data[value.start : value.start + value.size]).decode("utf-8", "backslashreplace")

    # --- stack ---

    def pop_tuple(self, count: int) -> None:
        if count > len(self.stack):
            raise ValueError("takes more values than it has")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.stack.append(items)

    def pop_marked(self) -> list[Any]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def append(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError(f"adds to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def store(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    def load(self, number: int) -> None:
        self.stack.append(self.memo[number])

    def push_stack_name(self) -> None:
        last, module = self.as_text(self.stack.pop()), self.as_text(self.stack.pop())
        self.stack.append(GlobalName(f"{module}.{last}"))

    # --- arrays ---

    def create(self) -> None:
        """Push the record of an array or a type; any other call is refused."""
        arguments, function = self.stack.pop(), self.stack.pop()
        name = function.name if isinstance(function, GlobalName) else type(function).__name__
        if name in RECONSTRUCT:
            self.stack.append(ArrayRecord())
        elif name == "numpy.dtype":
            self.stack.append(DtypeRecord(self.as_text(arguments[0])))
        else:
            raise ValueError(f"names {name}")

    def set_state(self) -> None:
        state, record = self.stack.pop(), self.stack[-1]
        if isinstance(record, DtypeRecord):
            record.byte_order = self.as_text(state[1])
        elif isinstance(record, ArrayRecord):
            _, shape, dtype, record.is_fortran_order, record.content = state
            record.shape, record.dtype = _check_shape(shape), _check_dtype(dtype)
        else:
            raise ValueError(f"gives a state to a {type(record).__name__}")


def _check_shape(shape: Any) -> tuple[int, ...]:
    is_tuple = isinstance(shape, tuple) and len(shape) <= MAX_DIMENSIONS
    sizes = tuple(size for size in shape if isinstance(size, int) and size <= sys.maxsize) if is_tuple else ()
    if not is_tuple or len(sizes) < len(shape):
        raise ValueError("has an array whose shape is no list of sizes")
    return sizes


def _check_dtype(dtype: Any) -> DtypeRecord:
    if not isinstance(dtype, DtypeRecord):
        raise ValueError("has an array without a type")
    return dtype


# What the message says of some opcodes that are refused.
NAMED_OPCODES = {b"}": "a dict", b"G": "a single number", b"\x81": "an object of a class", b"\x8f": "a set"}
OPCODES: dict[bytes, Callable[[PickleScanner], object]] = {
    b"\x80": lambda s: s.unpack("<B"),  # protocol
    b"\x95": lambda s: s.unpack("<Q"),  # frame
    b"N": lambda s: s.stack.append(None),
    b"\x88": lambda s: s.stack.append(True),
    b"\x89": lambda s: s.stack.append(False),
    b"K": lambda s: s.stack.append(s.unpack("<B")),
    b"M": lambda s: s.stack.append(s.unpack("<H")),
    b"J": lambda s: s.stack.append(s.unpack("<i")),
    b"\x8a": PickleScanner.push_long,
    b"U": lambda s: s.push_range("<B"),
    b"T": lambda s: s.push_range("<I"),
    b"C": lambda s: s.push_range("<B"),
    b"B": lambda s: s.push_range("<I"),
    b"\x8e": lambda s: s.push_range("<Q"),
    b"\x96": lambda s: s.push_range("<Q"),
    b"\x8c": lambda s: s.push_text("<B"),
    b"X": lambda s: s.push_text("<I"),
    b"c": PickleScanner.push_line_name,
    b"\x93": PickleScanner.push_stack_name,
    b"(": lambda s: s.marks.append(len(s.stack)),
    b")": lambda s: s.stack.append(()),
    b"\x85": lambda s: s.pop_tuple(1),
    b"\x86": lambda s: s.pop_tuple(2),
    b"\x87": lambda s: s.pop_tuple(3),
    b"t": lambda s: s.stack.append(tuple(s.pop_marked())),
    b"]": lambda s: s.stack.append([]),
    b"a": lambda s: s.append([s.stack.pop()]),
    b"e": lambda s: s.append(s.pop_marked()),
    b"q": lambda s: s.store(s.unpack("<B")),
    b"r": lambda s: s.store(s.unpack("<I")),
    b"\x94": lambda s: s.store(len(s.memo)),
    b"h": lambda s: s.load(s.unpack("<B")),
    b"j": lambda s: s.load(s.unpack("<I")),
    b"R": PickleScanner.create,
    b"b": PickleScanner.set_state,
}
