"""Any operation with any parameters, drawn from its declaration: one that is added is tested with the others."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from stages.operation import Operation
from stages.operations import OPERATIONS, UNION

LARGE = 60
"""What a number without an upper bound is drawn up to: sides and offsets of small pictures."""
OVERLAY = "logo"
"""What every text is: no parameter but the name of an overlay takes any."""


def declared(kind: type[Operation]) -> st.SearchStrategy[Operation]:
    """Operations of one kind; parameters that exclude each other are not drawn together."""
    required: dict[str, st.SearchStrategy[Any]] = {"op": st.just(kind.__struct_config__.tag)}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(kind):
        values = drawn(msgspec.inspect.type_info(field.type))
        (required if field.required else optional)[field.encode_name] = values
    return st.fixed_dictionaries(required, optional=optional).map(converted).filter(lambda made: made is not None)


def any_declared(*, without: tuple[type[Operation], ...] = ()) -> st.SearchStrategy[Operation]:
    """Operations of every kind but some."""
    return st.one_of([declared(kind) for kind in OPERATIONS.values() if kind not in without])


def converted(entry: dict[str, Any]) -> Any:
    """The operation that a request's entry means; None where it is refused."""
    try:
        return msgspec.convert(entry, type=UNION)
    except msgspec.ValidationError:
        return None


def drawn(kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    """Values of a declared type, within its bounds."""
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            return drawn(inner)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of([drawn(one) for one in types])
        case msgspec.inspect.TupleType(item_types=items):
            return st.tuples(*map(drawn, items))
        case msgspec.inspect.VarTupleType(item_type=item, min_length=least, max_length=most):
            return st.lists(drawn(item), min_size=least or 0, max_size=most).map(tuple)
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return _numbers(kind)
        case _:
            return _words(kind)


def _numbers(kind: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> st.SearchStrategy[Any]:
    lowest = next(bound for bound in (kind.ge, kind.gt, 0) if bound is not None)
    highest = LARGE if kind.le is None else min(kind.le, LARGE)
    if isinstance(kind, msgspec.inspect.IntType):
        return st.integers(int(lowest), int(highest))
    return st.floats(lowest, highest, exclude_min=kind.gt is not None)


def _words(kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.StrType():
            return st.just(OVERLAY)
        case _:
            raise TypeError(f"{kind} is not known here")
