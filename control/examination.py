"""Examination: an operator's question about a process's memory, sent through the supervisor and waited for."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

from ipc.messages import Examine, Examined

OPEN_MAX: Final = 4
ANSWER_WITHIN_S: Final = 10.0
"""Beyond the time that was asked for: a worker answers between two tasks."""
NUMBERS: Final = 1 << 20
"""That one process of the control plane can give: the answer to another one's question is never taken for its own."""

Action = Literal["trim", "collect", "snapshot"]


class ExaminationFailed(Exception):
    """A process did not answer, or could not do what it was asked. The text is for people."""


class Examinations:
    """Questions that are out. `incarnation` is that of the process that asks."""

    def __init__(self, incarnation: int, send: Callable[[Examine], None]) -> None:
        self._send = send
        self._open: dict[int, tuple[str, asyncio.Future[Examined]]] = {}
        self._last_number = incarnation * NUMBERS

    async def ask(self, service: str, action: Action, seconds: float) -> Examined:
        """Ask a service, and wait for its answer. Raises `ExaminationFailed`."""
        if len(self._open) >= OPEN_MAX:
            raise ExaminationFailed(f"{OPEN_MAX} examinations are under way, try again later")
        self._last_number += 1
        question = Examine(self._last_number, service, action, seconds)
        waiting: asyncio.Future[Examined] = asyncio.get_running_loop().create_future()
        self._open[question.number] = (service, waiting)
        try:
            self._send(question)
            answer = await asyncio.wait_for(waiting, seconds + ANSWER_WITHIN_S)
        except TimeoutError:
            raise ExaminationFailed(f"{service} did not answer within {seconds + ANSWER_WITHIN_S:g} s") from None
        finally:
            del self._open[question.number]
        if answer.fault:
            raise ExaminationFailed(f"{service}: {answer.fault}")
        return answer

    def answered(self, answer: Examined) -> None:
        """Take an answer; one that nobody waits for any more, or that another gives, is dropped."""
        service, waiting = self._open.get(answer.number, ("", None))
        if waiting is not None and service == answer.service and not waiting.done():
            waiting.set_result(answer)
