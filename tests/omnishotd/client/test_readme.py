"""README.md, held against the client: its calls and exceptions are those that there are."""

import inspect
import re
from pathlib import Path

from omnishotd.client import Client, OmnishotError, errors

SECTION = (
    (Path(__file__).parents[3] / "README.md").read_text().partition("\n## The Python client\n")[2].partition("\n## ")[0]
)


def test_tree_of_exceptions_is_the_clients() -> None:
    (tree,) = re.findall(r"```text\n(.*?)```", SECTION, re.DOTALL)
    kinds = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, OmnishotError)}

    assert set(re.findall(r"\b[A-Z][a-z]+[A-Z]?\w*", tree)) - {"TimeoutError", "ConnectionError"} == kinds


def test_every_call_that_is_named_exists() -> None:
    named = re.findall(r"`(\w+)\(", "".join(re.findall(r"^\| `\w+\(.*?\|", SECTION, re.MULTILINE)))

    assert {"process", "submit", "close"} <= set(named)
    assert all(callable(getattr(Client, name)) for name in named)
