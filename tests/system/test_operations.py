"""Any operations through a real daemon, whose workers are shut in: what the stages make by themselves, to the bit."""

import msgspec
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipc.errors import FrameError
from ipc.pixels import Layout
from omnishotd.client import Client, FrameRefused
from stages.operation import Operation
from stages.operations.composite import Composite
from tests.daemon import Daemon
from tests.oracles import Pixels, sample
from tests.stages.arenas import transformed
from tests.stages.declared import any_declared


def framed() -> Pixels:
    """A part of a photograph with a border that can be trimmed."""
    pixels = np.full((120, 160, 3), 255, np.uint8)
    pixels[20:100, 30:150] = sample(Layout.RGB)[100:180, 200:320]
    return pixels


def made_here(pixels: Pixels, operations: list[Operation]) -> Pixels | str:
    """The result, or the code of the error."""
    try:
        return transformed(pixels, Layout.RGB, *operations)
    except FrameError as error:
        return error.code


def made_there(client: Client, pixels: Pixels, operations: list[Operation]) -> Pixels | str:
    """The same by a daemon."""
    entries = [msgspec.to_builtins(operation) for operation in operations]
    try:
        picture = client.process(pixels, outputs=[{"operations": entries, "format": "raw"}]).outputs[0]
    except FrameRefused as error:
        return error.code
    return np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, -1)


def test_any_operations_make_in_a_daemon_what_they_make_here(daemon: Daemon) -> None:
    """Sizes that only the pixels tell, too; one operation needs an overlay."""
    pixels = framed()
    with Client(daemon.endpoint) as client:

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(any_declared(without=(Composite,)), min_size=1, max_size=4))
        def compare(operations: list[Operation]) -> None:
            here, there = made_here(pixels, operations), made_there(client, pixels, operations)

            assert isinstance(here, str) == isinstance(there, str), (here, there)
            assert np.array_equal(here, there)

        compare()
