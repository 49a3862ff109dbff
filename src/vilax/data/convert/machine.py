"""The pickle machine without what is dangerous: it builds plain values, within limits.

Only lists, dicts, tuples, sets, text, numbers, bytes, booleans and None are built; a file that asks
for anything else is refused by the name that it wanted.
"""

from collections.abc import Callable, Iterator
from typing import Any

from vilax.data.convert.opcodes import FORMS, REFUSED, Broken, Bytes, Refused, argument
from vilax.data.convert.scalars import SCALARS, number

RECORD_OPCODES = 2_000_000
"""Opcodes until the next item is whole, at most: some 400 MB of sets."""

RECORD_BYTES = 1 << 29
"""Bytes of text and binary content until the next item is whole, at most."""

KEPT_BYTES = 1 << 30
"""Memory of what items share, at most."""

NESTING = 200
"""Marks that may be open at once."""

_OPCODE_BYTES = 64
_KEYS = (str, bytes, int, float, type(None))
_HINT = "; only plain lists, dicts, text, numbers and bytes are read"


class Machine:
    """The pickle machine without its dangerous opcodes.

    Args:
        data: the file.
        wanted: numbers of the memo to keep; None: all.
        has_groups: dicts side by side may be gathered into a tuple or list later on.
    """

    def __init__(self, data: Bytes, wanted: set[int] | None, has_groups: bool) -> None:
        self.data = data
        self._has_groups = has_groups
        self.at = 0
        self._wanted = wanted
        self._memo: dict[int, Any] = {}
        self._memoized = 0
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        # Until the first list comes, one that nothing is.
        self._root: list[Any] = []
        self._ready: list[Any] = []
        self._opcodes = 0
        self._content = 0
        self._kept = 0
        self._keeps_container = False

    def run(self) -> Iterator[Any]:
        """Items of the pickled list; ``at`` is the opcode at hand."""
        data, size = self.data, len(self.data)
        scalars = {code: SCALARS[form.name] for code, form in FORMS.items() if form.name in SCALARS}
        actions: dict[int, Callable[[bytes], None]] = {
            code: getattr(self, f"_on_{form.name.lower()}")
            for code, form in FORMS.items()
            if hasattr(self, f"_on_{form.name.lower()}")
        }
        while self.at < size:
            at = self.at
            code = data[at : at + 1][0]
            start, end, after = argument(data, at, code)
            if code in REFUSED:
                raise Refused(at, self._refusal(code, start, end))
            if code == b"."[0]:
                return self._end(after)
            self._count(end - start)
            if code in scalars:
                self._push(scalars[code](data[start:end], at))
            elif code in actions:
                actions[code](data[start:end])
            self.at = after
            if self._ready:
                self._charge()
                yield from self._ready
                self._ready.clear()
        raise Broken(size, "the file ends before the pickle does")

    def _count(self, content: int) -> None:
        self._opcodes += 1
        self._content += content
        if self._opcodes > RECORD_OPCODES or self._content > RECORD_BYTES:
            limits = f"{RECORD_OPCODES:,} values or {RECORD_BYTES:,} bytes"
            raise Broken(self.at, f"an item of more than {limits}")

    def _charge(self) -> None:
        if self._keeps_container:
            self._keep(self._opcodes * _OPCODE_BYTES + self._content)
        self._opcodes = self._content = 0
        self._keeps_container = False

    def _keep(self, size: int) -> None:
        self._kept += size
        if self._kept > KEPT_BYTES:
            raise Broken(self.at, f"items share more than {KEPT_BYTES:,} bytes")

    def _end(self, after: int) -> None:
        if self._below or len(self._stack) != 1:
            raise Broken(self.at, "the pickle ends with values left over")
        if self._stack[0] is not self._root:
            found = type(self._stack[0]).__name__
            raise Broken(self.at, f"expected a list of records, found {found}")
        if after != len(self.data):
            left = len(self.data) - after
            raise Broken(after, f"{left:,} bytes behind the pickle's end")

    def _refusal(self, code: int, start: int, end: int) -> str:
        name = FORMS[code].name
        raw = self.data[start : min(end, start + 200)]
        wanted = ""
        if name in ("GLOBAL", "INST", "PERSID"):
            wanted = raw.decode("utf-8", "replace").replace("\n", ".")
        elif name == "STACK_GLOBAL":
            wanted = ".".join(str(part)[:100] for part in self._stack[-2:])
        elif name.startswith("EXT"):
            wanted = f"extension {int.from_bytes(raw, 'little')}"
        return (f"it asks for {wanted!r} ({name})" if wanted else f"it asks for {name}") + _HINT

    def _push(self, value: Any) -> None:
        self._stack.append(value)
        if len(self._stack) == 1 and not self._below and type(value) is list:
            self._root = value

    def _take(self) -> Any:
        if not self._stack:
            raise Broken(self.at, "a value is missing")
        return self._stack.pop()

    def _top(self, kind: type) -> Any:
        if not self._stack or type(self._stack[-1]) is not kind:
            raise Broken(self.at, f"a {kind.__name__} is missing")
        return self._stack[-1]

    def _marked(self) -> list[Any]:
        if not self._below:
            raise Broken(self.at, "a mark is missing")
        found, self._stack = self._stack, self._below.pop()
        return found

    def _on_mark(self, raw: bytes) -> None:
        if len(self._below) >= NESTING:
            raise Broken(self.at, f"more than {NESTING} containers in one another")
        self._below.append(self._stack)
        self._stack = []

    def _on_pop(self, raw: bytes) -> None:
        self._take()

    def _on_pop_mark(self, raw: bytes) -> None:
        self._marked()

    def _on_dup(self, raw: bytes) -> None:
        value = self._take()
        self._push(value)
        self._push_again(value)

    def _push_again(self, value: Any) -> None:
        if value is self._root:
            raise Broken(self.at, "the list refers to itself")
        self._push(value)

    def _on_empty_list(self, raw: bytes) -> None:
        self._push([])

    def _on_empty_set(self, raw: bytes) -> None:
        self._push(set())

    def _on_empty_dict(self, raw: bytes) -> None:
        self._open_dict({})

    def _on_dict(self, raw: bytes) -> None:
        self._open_dict(self._pairs(self._marked()))

    def _open_dict(self, value: dict[Any, Any]) -> None:
        # Python appends a thousand at a time. Of dicts that lie side by side behind the list's
        # mark, all but the last one are whole.
        is_item = len(self._below) == 1 and self._below[0] and self._below[0][-1] is self._root
        if is_item and not self._has_groups and all(type(v) is dict for v in self._stack):
            self._ready += self._stack
            self._stack.clear()
        self._push(value)

    def _on_list(self, raw: bytes) -> None:
        values = self._marked()
        if self._stack or self._below:
            self._push(values)
        else:
            self._push([])
            self._ready += values

    def _on_tuple(self, raw: bytes) -> None:
        self._push(tuple(self._marked()))

    def _on_tuple1(self, raw: bytes) -> None:
        self._push((self._take(),))

    def _on_tuple2(self, raw: bytes) -> None:
        second, first = self._take(), self._take()
        self._push((first, second))

    def _on_tuple3(self, raw: bytes) -> None:
        third, second, first = self._take(), self._take(), self._take()
        self._push((first, second, third))

    def _on_frozenset(self, raw: bytes) -> None:
        self._push({self._key(value) for value in self._marked()})

    def _on_additems(self, raw: bytes) -> None:
        values = self._marked()
        self._top(set).update(self._key(value) for value in values)

    def _on_setitem(self, raw: bytes) -> None:
        value, key = self._take(), self._take()
        self._top(dict)[self._key(key)] = value

    def _on_setitems(self, raw: bytes) -> None:
        values = self._marked()
        self._top(dict).update(self._pairs(values))

    def _pairs(self, values: list[Any]) -> dict[Any, Any]:
        if len(values) % 2:
            raise Broken(self.at, "a key without a value")
        keys = [self._key(value) for value in values[::2]]
        return dict(zip(keys, values[1::2], strict=True))

    def _key(self, value: Any) -> Any:
        # Hashing a nested tuple would use up the C stack.
        if not isinstance(value, _KEYS):
            raise Broken(self.at, f"a {type(value).__name__} as a key")
        return value

    def _on_append(self, raw: bytes) -> None:
        self._extend([self._take()])

    def _on_appends(self, raw: bytes) -> None:
        self._extend(self._marked())

    def _extend(self, values: list[Any]) -> None:
        target = self._top(list)
        if target is self._root:
            self._ready += values
        else:
            target += values

    def _on_memoize(self, raw: bytes) -> None:
        self._remember(self._memoized)

    def _on_put(self, raw: bytes) -> None:
        self._remember(number(raw, self.at))

    def _on_binput(self, raw: bytes) -> None:
        self._remember(int.from_bytes(raw, "little"))

    _on_long_binput = _on_binput

    def _remember(self, place: int) -> None:
        if not self._stack:
            raise Broken(self.at, "a value is missing")
        self._memoized += 1
        if self._wanted is not None and place not in self._wanted:
            return
        value = self._stack[-1]
        if isinstance(value, str | bytes):
            self._keep(len(value) + _OPCODE_BYTES)
        else:
            self._keeps_container = True
        self._memo[place] = value

    def _on_get(self, raw: bytes) -> None:
        self._recall(number(raw, self.at))

    def _on_binget(self, raw: bytes) -> None:
        self._recall(int.from_bytes(raw, "little"))

    _on_long_binget = _on_binget

    def _recall(self, place: int) -> None:
        if place not in self._memo:
            raise Broken(self.at, f"it refers to value {place}, which there is not")
        self._push_again(self._memo[place])
