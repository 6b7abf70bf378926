"""Who may import whom, what each process loads, and how large a module may grow."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("omnishotd", "ipc", "stages", "control")
LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 60
BANNED_WORDS: Final = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "managers"})

MAY_IMPORT: Final = {
    "ipc": {"ipc"},
    "stages": {"stages", "ipc"},
    "control": {"control", "ipc", "omnishotd"},
    "omnishotd": set(),
    "omnishotd.__main__": {"omnishotd.cli"},
    "omnishotd.runtime": set(),
    "omnishotd.broker": {"omnishotd.broker", "omnishotd", "stages", "ipc"},
    "omnishotd.client": {"omnishotd.client", "omnishotd.runtime", "omnishotd", "ipc.errors", "ipc.keys"},
    "omnishotd.config": {
        "omnishotd.config",
        "omnishotd.runtime",
        "stages.limits",
        "stages.outputs",
        "stages.probe",
        "stages.schema",
        "ipc",
    },
    "omnishotd.supervisor": {"omnishotd.supervisor", "omnishotd", "ipc"},
    "omnishotd.cli": {
        "omnishotd.cli",
        "omnishotd.config",
        "omnishotd.client",
        "omnishotd.runtime",
        "omnishotd.supervisor",
        "omnishotd",
        "ipc",
    },
}
"""Of our own modules, by the longest prefix that fits. `omnishotd` alone is its `__init__`, the version."""

CLIENT_MAY_IMPORT: Final = {"zmq", "msgpack", "numpy"}
"""Beyond the standard library, and our own: a producer installs as little as possible."""

PIXELS: Final = ("numpy", "cv2", "simplejpeg", "cykooz", "PIL")
WEB: Final = ("starlette", "uvicorn")
CONFIGURATION: Final = ("pydantic", "click", "rich")

PROCESSES: Final = ("multiprocessing", "subprocess", "argparse")
"""2.5 MiB in each process that has no use for them."""

LOADS_NOTHING_OF: Final = {
    "ipc.child": (*PIXELS, *WEB, *CONFIGURATION, "pythonjsonlogger"),
    "omnishotd.cli": (*PIXELS, *WEB, "pydantic", "rich", "zmq", "msgspec", "logging", "websockets"),
    "omnishotd.config": (*PIXELS, *WEB, "click", "rich", "zmq"),
    "omnishotd.broker.__main__": (*PIXELS, *WEB, *CONFIGURATION, *PROCESSES, "psutil"),
    "omnishotd.supervisor.__main__": (*PIXELS, *WEB, *CONFIGURATION),
    "omnishotd.client": ("cv2", "simplejpeg", "cykooz", "PIL", *WEB, *CONFIGURATION, "msgspec", "psutil"),
    "stages.worker": (*WEB, *CONFIGURATION, *PROCESSES, "cv2", "psutil"),
    "control.__main__": (*PIXELS, *CONFIGURATION[:1], "rich"),
}


def sources(*folders: str) -> list[Path]:
    """Find all modules below folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    """Name a module by its path."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Yield what a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (from_import(str(node.module), alias.name) for alias in node.names)


def from_import(module: str, name: str) -> str:
    """Name what `from module import name` imports: a module below, or the module itself."""
    below = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if below.is_dir() or below.with_suffix(".py").is_file() else module


def longest_prefix(module: str, prefixes: object) -> str | None:
    """Find the package that a module belongs to, among those that are named."""
    parts = module.split(".")
    candidates = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((prefix for prefix in candidates if prefix in prefixes), None)  # type: ignore[operator]  # any container


def is_allowed(imported: str, allowed: set[str]) -> bool:
    """Tell whether one of our own modules may be imported; `omnishotd` allows itself and nothing below it."""
    prefix = longest_prefix(imported, allowed)
    return prefix is not None and (prefix != "omnishotd" or imported == "omnishotd")


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=module_of)
def test_module_imports_only_what_lies_below_it(path: Path) -> None:
    module = module_of(path)
    layer = longest_prefix(module, MAY_IMPORT)
    assert layer is not None
    assert layer != "omnishotd" or module == "omnishotd", f"{module} belongs to no layer: add it to MAY_IMPORT"
    own = [imported for imported in imports_of(path) if imported.split(".")[0] in PACKAGES]

    assert [imported for imported in own if not is_allowed(imported, MAY_IMPORT[layer])] == []


def test_client_needs_no_more_than_a_producer_has() -> None:
    imported = {name.split(".")[0] for path in sources("omnishotd/client") for name in imports_of(path)}

    assert imported - sys.stdlib_module_names - set(PACKAGES) <= CLIENT_MAY_IMPORT


@pytest.mark.parametrize("module", LOADS_NOTHING_OF)
def test_process_loads_only_its_own_libraries(module: str) -> None:
    program = (
        "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(sorted(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program, module], check=True, capture_output=True, text=True, timeout=30
    )
    loaded = {name.split(".")[0] for name in json.loads(ended.stdout)}

    assert loaded & set(LOADS_NOTHING_OF[module]) == set()


def test_settings_are_read_without_the_libraries_of_the_configuration() -> None:
    """What `ipc` needs, everybody needs."""
    imported = {name.split(".")[0] for path in sources("ipc") for name in imports_of(path)}

    assert imported - sys.stdlib_module_names - {"ipc"} <= {"msgspec", "zmq", "pythonjsonlogger"}


@pytest.mark.parametrize("path", sources(*PACKAGES, "perf", "tests"), ids=module_of)
def test_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    too_long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]

    assert text.count("\n") <= LINES_MAX
    assert too_long == []
    assert ast.get_docstring(tree), "no docstring"


@pytest.mark.parametrize("path", sources(*PACKAGES, "perf", "tests"), ids=module_of)
def test_names_say_more_than_that_something_helps(path: Path) -> None:
    classes = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    words = {
        word.lower() for name in [*classes, *module_of(path).split(".")] for word in re.findall(r"[A-Z]?[a-z]+", name)
    }

    assert words & BANNED_WORDS == set()


def test_banned_word_is_found_in_a_name() -> None:
    """The check itself: it must see a word inside a longer name."""
    assert set(re.findall(r"[A-Z]?[a-z]+", "SocketManager")) == {"Socket", "Manager"}


def test_import_of_a_forbidden_layer_is_found(tmp_path: Path) -> None:
    """The check itself: it must see an import that hides inside a function."""
    module = tmp_path / "module.py"
    module.write_text("def late():\n    from control import app\n    import omnishotd.cli.serve\n")

    found = list(imports_of(module))

    assert [name for name in found if is_allowed(name, MAY_IMPORT["stages"])] == []
    assert {name.split(".")[0] for name in found} == {"control", "omnishotd"}
