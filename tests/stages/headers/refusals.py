"""What a header is refused with."""

from collections.abc import Callable

import pytest

from ipc.errors import FrameError


def refusal(read: Callable[[bytes], object], data: bytes) -> FrameError:
    with pytest.raises(FrameError) as caught:
        read(data)
    return caught.value
