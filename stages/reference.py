"""Reference: the tables of operations and of output options in a document, made of the declarations.

`python -m stages.reference PROTOCOL.md` writes them anew, between the comments that say so.
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from stages.encodings import ENCODINGS, Encoding
from stages.operations import OPERATIONS

Declared = type[msgspec.Struct]

_HEADS: Final = {
    "operations": ["operation", "parameter", "takes", "default", "meaning"],
    "options": ["format", "option", "takes", "default", "meaning"],
}
_PLACE: Final = re.compile(r"(<!-- (operations|options): [^\n]* -->\n).*?(<!-- end of \2 -->\n)", re.DOTALL)
_SIMPLE: Final = {int: "integer", float: "number", bool: "boolean", str: "string"}


def with_tables(document: str) -> str:
    """Return a document with its tables as they should be. Raises ValueError where one has no place in it."""
    kinds = {"operations": OPERATIONS, "options": ENCODINGS}
    places = [match[2] for match in _PLACE.finditer(document)]
    if sorted(places) != sorted(kinds):
        raise ValueError(f"has places for {places}, must have one each for {', '.join(kinds)}")
    return _PLACE.sub(lambda match: match[1] + _table(match[2], kinds[match[2]].values()) + match[3], document)


def _table(name: str, kinds: Iterable[Declared]) -> str:
    head = _HEADS[name]
    rows: list[list[str]] = []
    for kind in kinds:
        rows.append([f"`{kind.__struct_config__.tag}`", "", "", "", _summary(kind) + _sides(kind)])
        rows += _parameters(kind)
    lines = [f"| {' | '.join(row)} |\n" for row in rows]
    return f"| {' | '.join(head)} |\n{'|---' * len(head)}|\n{''.join(lines)}"


def _summary(kind: Declared) -> str:
    """The first paragraph of its docstring."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())


def _sides(kind: Declared) -> str:
    """How long a side can be in a format that has bounds of its own."""
    if not issubclass(kind, Encoding) or kind.side_max >= Encoding.side_max:
        return ""
    return f" Sides have at most {kind.side_max} pixels."


def _parameters(kind: Declared) -> Iterator[list[str]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        default = "required" if field.required else _shown(field.default)
        hint = hints[field.name]
        meaning = description(hint)
        yield ["", f"`{field.encode_name}`", takes(hint), default, meaning[:1].upper() + meaning[1:]]


def _shown(default: object) -> str:
    """A default value, as JSON has it."""
    return "" if default is None else f"`{msgspec.json.format(msgspec.json.encode(default), indent=0).decode()}`"


def takes(hint: Any) -> str:
    """Say what a parameter takes, of its type and bounds."""
    kind, bounds = _taken_apart(hint)
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(takes(part) for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{msgspec.json.encode(word).decode()}`" for word in get_args(kind))
    if get_origin(kind) is tuple:
        first, *rest = get_args(kind)
        return "colour" if rest == [...] else f"[{', '.join(takes(part) for part in (first, *rest))}]"
    return _SIMPLE[kind] + "".join(map(_within, bounds))


def description(hint: Any) -> str:
    """Say what a parameter means, as its declaration does."""
    kind, metas = _taken_apart(hint)
    own = [meta.description for meta in metas if meta.description]
    if get_origin(kind) in (Union, UnionType):
        own += [text for part in get_args(kind) if (text := description(part))]
    return "; ".join(own)


def _taken_apart(hint: Any) -> tuple[Any, tuple[msgspec.Meta, ...]]:
    """A type, and what is declared about it."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    kind, *metas = get_args(hint)
    return kind, tuple(meta for meta in metas if isinstance(meta, msgspec.Meta))


def _within(meta: msgspec.Meta) -> str:
    """What a number, or the length of a text, is held to."""
    if meta.min_length is not None and meta.max_length is not None:
        return f" of {meta.min_length} to {meta.max_length} characters"
    if meta.ge is not None and meta.le is not None:
        return f", {meta.ge} to {meta.le}"
    bounds = {"over": meta.gt, "at least": meta.ge, "at most": meta.le, "below": meta.lt}
    return "".join(f", {word} {bound}" for word, bound in bounds.items() if bound is not None)


def main() -> None:
    """Bring a document up to date."""
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text()))


if __name__ == "__main__":
    main()
