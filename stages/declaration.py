"""Reading of declared values out of a request, whose faults name the key."""

import re
from collections.abc import Iterable
from typing import Literal, TypeVar, get_args, get_origin

import msgspec

from ipc.errors import ErrorCode, FrameError

T = TypeVar("T")

_PLACE = re.compile(r"(?P<text>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")
_OWN = re.compile(r"[a-z_]+: ")


def read(
    encoded: bytes | msgspec.Raw,
    decoder: msgspec.msgpack.Decoder[T],
    path: str,
    kinds: Iterable[type[msgspec.Struct]] = (),
) -> T:
    """Decode MessagePack, or raise FrameError BAD_REQUEST that begins with the faulty key, as `outputs[0].quality: `.

    A declaration's own `__post_init__` raises ValueError that begins with its key, as `angle: ...`. `kinds`: the
    tagged declarations that the decoder knows, whose words are listed where another was given.
    """
    try:
        return decoder.decode(encoded)
    except msgspec.ValidationError as error:
        key, fault = _explain(str(error), path)
        if fault.startswith("invalid"):
            words = ", ".join(_words(kinds, encoded, key))
            fault = f"{fault.partition(' ')[2]} is not " + (f"one of {words}" if words else "taken")
        raise bad_request(key, fault) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise bad_request(path, "is not well-formed MessagePack") from None


def bad_request(path: str, fault: str) -> FrameError:
    """The error for a key."""
    return FrameError(ErrorCode.BAD_REQUEST, f"{path}: {fault}")


def _words(kinds: Iterable[type[msgspec.Struct]], encoded: bytes | msgspec.Raw, path: str) -> list[str]:
    """What the faulty key takes: names of `kinds` where it is their tag, else the words declared for the field.

    None where a tag is there twice: the decoder goes by the first, and what is looked at here has kept the last.
    """
    key = path.rpartition(".")[2]
    by_name = {str(kind.__struct_config__.tag): kind for kind in kinds}
    try:
        given = msgspec.msgpack.decode(encoded)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        # What stands behind the faulty key was not looked at yet, and may be anything.
        raise bad_request(path, "is not well-formed MessagePack") from None
    for name, kind in by_name.items():
        if key == kind.__struct_config__.tag_field:
            return list(by_name)
        if given.get(kind.__struct_config__.tag_field) == name:
            declared = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
            return [word for word in _literals(declared.get(key)) if isinstance(word, str)]
    return []


def _literals(annotation: object) -> Iterable[object]:
    """Every value of every Literal in a type."""
    for part in get_args(annotation):
        if get_origin(annotation) is Literal:
            yield part
        else:
            yield from _literals(part)


def _explain(text: str, path: str) -> tuple[str, str]:
    """msgspec's message as (key, fault)."""
    match = _PLACE.fullmatch(text)
    if match is None:
        return path, text
    text, path = match["text"], path + (match["path"] or "")
    if match["key"]:
        return path, f"keys must be strings: {_lower(text)}"
    if unknown := _UNKNOWN.fullmatch(text):
        return f"{path}.{unknown['key'][:64]}", "there is no such key"
    if missing := _MISSING.fullmatch(text):
        return f"{path}.{missing['key']}", "is required"
    if _OWN.match(text):
        key, _, fault = text.partition(": ")
        return f"{path}.{key}", fault
    if text.startswith("Invalid"):
        return path, text.replace("Invalid enum value", "invalid").replace("Invalid value", "invalid")
    return path, _lower(text)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].replace("`", "")
