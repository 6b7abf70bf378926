"""The configuration: what it takes, what it refuses and how it says so."""

import os
import string
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ipc.settings import PoolSettings, Settings
from omnishotd.config import ConfigurationError, checks, resolve
from omnishotd.config.layers import read_environment, value_of
from omnishotd.config.schema import Configuration, default_pools

EMPTY = Path(os.devnull)
ROOT = Path(__file__).parents[2]
FALLBACK = f"/tmp/omnishotd-{os.getuid()}"  # noqa: S108 - the documented place, of which only the name is looked at


def problems(environment: dict[str, str] | None = None, assignments: tuple[str, ...] = ()) -> list[str]:
    """Return what is wrong with a configuration, its origins left out."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(EMPTY, {"RUNTIME_DIRECTORY": "/run/o", **(environment or {})}, assignments)
    return [f"{problem.key}: {problem.what}" for problem in caught.value.problems]


def written(folder: Path, text: str) -> Path:
    """Write a configuration file."""
    file = folder / "omnishotd.toml"
    file.write_text(text)
    return file


def struct_fields(kind: Any) -> dict[str, Any]:
    """Return the fields of settings by name, with those below them."""
    return {name: below(hint, struct_fields) for name, hint in get_type_hints(kind).items()}


def model_fields(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of the schema by name, with those below them."""
    return {name: below(field.annotation, model_fields) for name, field in kind.model_fields.items()}


def below(hint: Any, fields: Any) -> Any:
    inner = get_args(hint)[0] if get_origin(hint) is list else hint
    is_section = isinstance(inner, type) and not get_origin(inner) and issubclass(inner, (BaseModel, msgspec.Struct))
    return fields(inner) if is_section else None


def test_schema_has_the_same_keys_as_settings() -> None:
    of_settings = struct_fields(Settings)
    of_settings.pop("runtime_directory")

    assert of_settings == model_fields(Configuration)


def test_configuration_that_says_nothing_gives_the_documented_defaults() -> None:
    settings = resolve(EMPTY, {"RUNTIME_DIRECTORY": "/run/omnishotd"})

    assert settings.runtime_directory == "/run/omnishotd"
    assert settings.frames.endpoints == ["ipc:///run/omnishotd/frames.sock"]
    assert settings.frames.socket_mode == 0o660
    assert settings.pipeline.drain_timeout_ms == 15_000
    assert settings.control.port == 3000
    assert settings.presets["thumbnail"]["outputs"][0]["quality"] == 80


def test_settings_survive_the_way_to_the_supervisor() -> None:
    settings = resolve(EMPTY, {})

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(settings), type=Settings) == settings


def test_environment_lies_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = written(tmp_path, "[control]\nport = 1\n[pipeline]\nqueue_limit = 1\n[memory]\narena_mb = 300\n")
    environment = {"OMNISHOTD_CONTROL__PORT": "2", "OMNISHOTD_PIPELINE__QUEUE_LIMIT": "2"}

    settings = resolve(file, environment, ["control.port=3"])

    assert (settings.control.port, settings.pipeline.queue_limit, settings.memory.arena_mb) == (3, 2, 300)


def test_environment_without_double_underscore_is_not_ours() -> None:
    layer = read_environment({"OMNISHOTD_PORT": "tcp://10.0.0.1:3000", "OMNISHOTD_SERVICE_HOST": "10.0.0.1"})

    assert layer.values == {}


def test_faults_of_all_places_are_told_at_once_with_key_and_origin(tmp_path: Path) -> None:
    file = written(tmp_path, '[frames]\nmax_sid = 1\nendpoints = ["tcp://host:1"]\n[control]\nport = "x"\n')

    with pytest.raises(ConfigurationError) as caught:
        resolve(file, {"OMNISHOTD_MEMORY__ARENA_MB": "1"}, ["pipeline.queue_limit=0"])

    assert {str(problem) for problem in caught.value.problems} == {
        f"frames.max_sid: unknown key, did you mean max_side? ({file})",
        "frames.endpoints[0]: 'tcp://host:1' must have an address as 192.0.2.7 or [2001:db8::7], or * for all "
        f"({file})",
        "frames.curve_secret_key_file: must be set where frames.endpoints has an address with tcp://",
        "frames.curve_authorized_keys: must be set where frames.endpoints has an address with tcp://",
        f"control.port: must be a whole number, is 'x' ({file})",
        "memory.arena_mb: is 1, must be at least 16 (environment)",
        "pipeline.queue_limit: is 0, must be at least 1 (command line)",
    }


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("token.file=x", "token: unknown key"),
        ("frames=1", "frames: must be a table, is 1"),
        ("frames.endpoints=[]", "frames.endpoints: has 0 entries, must have at least 1"),
        (
            "pipeline.whole_frame_pixels_max=fast",
            "pipeline.whole_frame_pixels_max: is 'fast', must be \"auto\" or a whole number from 0 to 1073741824",
        ),
        (
            "pipeline.whole_frame_pixels_max=-1",
            'pipeline.whole_frame_pixels_max: is -1, must be "auto" or a whole number from 0 to 1073741824',
        ),
        ("frames.endpoints=x", "frames.endpoints: must be a list, is 'x'"),
        ("frames.endpoints=[1]", "frames.endpoints[0]: must be text, is 1"),
        ('frames.endpoints=["inproc://x"]', "frames.endpoints[0]: 'inproc://x' must begin with ipc:// or tcp://"),
        ('frames.endpoints=["ipc://x"]', "frames.endpoints[0]: 'ipc://x' must name a socket by its absolute path"),
        (
            'frames.endpoints=["tcp://127.0.0.1"]',
            "frames.endpoints[0]: 'tcp://127.0.0.1' must end in a port, 1 to 65535",
        ),
        ('frames.endpoints=["ipc:///a","ipc:///a"]', "frames.endpoints[1]: 'ipc:///a' is there twice"),
        (
            "frames.socket_mode=660",
            'frames.socket_mode: is 660, must be text, an octal mode that lets its owner read and write, as "0660"',
        ),
        (
            "frames.socket_mode=0440",
            "frames.socket_mode: is '0440', must be text, an octal mode that lets its owner read and write, "
            'as "0660"',
        ),
        ("frames.max_side=65501", "frames.max_side: is 65501, must be at most 65500"),
        ("frames.max_side=true", "frames.max_side: must be a whole number, is True"),
        ("frames.rate_per_second=nan", "frames.rate_per_second: must be a finite number, is nan"),
        ("pipeline.queue_limit=1.5", "pipeline.queue_limit: must be a whole number, is 1.5"),
        (
            "pipeline.queue_max_bytes=1024",
            "pipeline.queue_max_bytes: is 1024, must be at least frames.max_frame_bytes, 16777216",
        ),
        ("pipeline.pools=[{stages=['decode'],workers=1}]", "pipeline.pools: no pool runs transform or encode"),
        (
            "pipeline.pools=[{stages=['crop'],workers=1}]",
            "pipeline.pools[0].stages[0]: is 'crop', must be 'decode', 'transform' or 'encode'",
        ),
        ("memory.arena_mb=100", "memory.arena_mb: is 100, must be at least 160 to hold one frame of frames.max_pixels"),
        (
            "control.host=0.0.0.0",
            "control.token_file: must be set where control.host, '0.0.0.0', is no loopback address",
        ),
        (
            "control.host=ops.example",
            "control.host: 'ops.example' is no address, as 127.0.0.1 or ::1, and not localhost",
        ),
        (
            "control.token_file=/nowhere/token",
            "control.token_file: '/nowhere/token' cannot be read: No such file or directory",
        ),
        (
            'control.allowed_hosts=["ops.example:3000"]',
            "control.allowed_hosts[0]: 'ops.example:3000' is no host name, without a port",
        ),
        (
            'control.cors_origins=["*"]',
            "control.cors_origins[0]: '*' is no origin, as https://ops.example",
        ),
        (
            "alerts.webhook_url=ftp://example/secret",
            "alerts.webhook_url: must be an address that begins with http:// or https://",
        ),
        ("alerts.error_percent=101", "alerts.error_percent: is 101, must be at most 100.0"),
        ("presets.x.outputs=[{quality=101}]", "presets.x.outputs[0].quality: expected int <= 100"),
        ("presets.x.file=1", "presets.x.file: unknown key"),
    ],
)
def test_wrong_value_is_told_in_one_line_with_its_limit(assignment: str, problem: str) -> None:
    assert problem in problems(assignments=(assignment,))


@pytest.mark.parametrize(
    ("pools", "problem"),
    [
        (
            "[{stages=['decode','encode'],workers=1},{stages=['transform'],workers=1}]",
            "pipeline.pools[0].stages: decode, encode must be neighbours in the order decode, transform, encode",
        ),
        (
            "[{stages=['encode','decode'],workers=1},{stages=['transform'],workers=1}]",
            "pipeline.pools[0].stages: encode, decode must be neighbours in the order decode, transform, encode",
        ),
        (
            "[{stages=['decode','transform','encode'],workers=1},{stages=['encode'],workers=1}]",
            "pipeline.pools[1].stages: encode is in pools[0] already, each stage belongs to one pool",
        ),
    ],
)
def test_pools_that_do_not_partition_the_pipeline_are_refused(pools: str, problem: str) -> None:
    assert problems(assignments=(f"pipeline.pools={pools}",)) == [problem]


def test_one_pool_of_all_stages_is_accepted() -> None:
    settings = resolve(EMPTY, {}, ["pipeline.pools=[{stages=['decode','transform','encode'],workers=3}]"])

    assert settings.pipeline.pools == [PoolSettings(stages=["decode", "transform", "encode"], workers=3)]


def test_socket_path_as_long_as_the_kernel_takes_is_accepted() -> None:
    folder = "/" + "d" * (107 - len("//frames.sock"))

    assert resolve(EMPTY, {"RUNTIME_DIRECTORY": folder}).frames.endpoints == [f"ipc://{folder}/frames.sock"]


def test_socket_path_one_byte_longer_is_refused() -> None:
    folder = "/" + "d" * (108 - len("//frames.sock"))

    assert problems(environment={"RUNTIME_DIRECTORY": folder}) == [
        "frames.endpoints[0]: path of the socket has 108 bytes, must have at most 107"
    ]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"[frames", "is not TOML"),
        (b"\xff", "is not UTF-8 text"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
        (b"#" * (1 << 20) + b"#", "is larger than 1048576 bytes"),
    ],
)
def test_file_that_cannot_be_understood_is_one_problem(tmp_path: Path, content: bytes, what: str) -> None:
    file = tmp_path / "omnishotd.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        resolve(file, {})

    assert [problem.key for problem in caught.value.problems] == [str(file)]
    assert caught.value.problems[0].what.startswith(what)


def test_file_that_is_named_and_missing_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(tmp_path / "none.toml", {})

    assert str(caught.value) == f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"


def test_presets_of_a_file_take_the_place_of_the_built_in_one(tmp_path: Path) -> None:
    file = written(tmp_path, '[presets.small]\noutputs = [{operations = [{op = "resize", width = 10}]}]\n')

    assert list(resolve(file, {}).presets) == ["small"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/var"}, "/run/a"),
        ({"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": "/var"}, "/var/omnishotd"),
        ({"XDG_RUNTIME_DIR": "/var"}, "/var/omnishotd"),
        ({"XDG_RUNTIME_DIR": "/does/not/exist"}, FALLBACK),
        ({}, FALLBACK),
    ],
)
def test_runtime_directory_is_the_first_that_the_environment_names(environment: dict[str, str], expected: str) -> None:
    assert resolve(EMPTY, environment).runtime_directory == expected


@pytest.mark.parametrize(
    ("cores", "workers"), [(1, [1, 1, 1]), (2, [2, 1, 2]), (4, [4, 2, 4]), (7, [7, 4, 7]), (128, [32, 16, 32])]
)
def test_default_pools_follow_the_number_of_cores(cores: int, workers: list[int]) -> None:
    pools = default_pools(cores)

    assert [pool.stages for pool in pools] == [["decode"], ["transform"], ["encode"]]
    assert [pool.workers for pool in pools] == workers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ('"3"', "3"),
        ("127.0.0.1", "127.0.0.1"),
        ("[1, 2]", [1, 2]),
        ("0660", "0660"),
        ("1\nother = 2", "1\nother = 2"),
        ("", ""),
    ],
)
def test_value_is_read_as_toml_and_else_as_text(text: str, value: object) -> None:
    assert value_of(text) == value


_words = st.sampled_from(
    [
        "frames",
        "pipeline",
        "memory",
        "control",
        "presets",
        "pools",
        "stages",
        "port",
        "host",
        "outputs",
        "endpoints",
        "x",
    ]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)


@given(section=_words, key=_words | st.text(max_size=8), text=st.text(max_size=30) | _values.map(str))
def test_anything_said_gives_settings_or_problems_on_single_lines(section: str, key: str, text: str) -> None:
    told: tuple[object, ...] = ()
    try:
        resolve(EMPTY, {f"OMNISHOTD_{section}__{key}": text})
    except ConfigurationError as error:
        told = error.problems or ("nothing\n",)

    assert all(str(problem).isprintable() for problem in told)


def rows() -> list[str]:
    """Return the table of keys as the README has to show it."""
    lines = []
    for section, field in Configuration.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            lines += [row(f"{section}.{name}", below) for name, below in kind.model_fields.items()]
        else:
            [below] = get_args(kind)[1].model_fields
            lines.append(row(f"{section}.NAME.{below}", field))
    return lines


def bounds_of(field: FieldInfo) -> list[Any]:
    """Bounds of a number, also of one that may be a word as well."""
    below = [inner for kind in get_args(field.annotation) for inner in getattr(kind, "__metadata__", ())]
    return [*field.metadata, *(bound for inner in below if isinstance(inner, FieldInfo) for bound in inner.metadata)]


def row(key: str, field: FieldInfo) -> str:
    """Return one line of it."""
    default = "" if field.default_factory is not None else f"`{msgspec.json.encode(field.default).decode()}`"
    bounds = {type(bound).__name__: bound for bound in bounds_of(field)}
    low, high = (getattr(bounds.get(name), name.lower(), None) for name in ("Ge", "Le"))
    limits = "" if low is None else f"{low} to {high}"
    return f"| `{key}` | {default} | {limits} | {field.description} |"


def test_readme_lists_every_key_with_default_bounds_and_meaning() -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Configuration\n")[2].partition("\n## ")[0]

    assert [line for line in section.splitlines() if line.startswith("| `")] == rows()


def test_every_number_has_two_bounds() -> None:
    """A key without bounds is a key whose wrong value is found out at work."""
    for section in Configuration.model_fields.values():
        kind: Any = section.annotation
        fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
        for name, field in fields.items():
            if field.annotation in {int, float} or name == "whole_frame_pixels_max":
                assert {type(bound).__name__ for bound in bounds_of(field)} >= {"Ge", "Le"}, name


def test_presets_too_large_for_the_message_that_carries_them_are_refused() -> None:
    operations = [{"op": "resize", "width": 100 + number, "height": 100} for number in range(60)]
    presets = {f"preset-{number}": {"outputs": [{"operations": operations}]} for number in range(50)}

    found = list(checks.problems(Configuration.model_validate({"presets": presets}), Path("/run/omnishotd")))

    assert [problem.key for problem in found] == ["presets"]
    assert f"at most {checks.PRESETS_BYTES_MAX}" in found[0].what
