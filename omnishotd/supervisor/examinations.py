"""Examinations: an operator's question about a process's memory, on its way from the control plane there and back."""

import logging
import time
from typing import Final

from ipc.events import EventKind
from ipc.examination import Examiner
from ipc.messages import Examine, Examined
from omnishotd.supervisor.children import ChildProcess
from omnishotd.supervisor.household import Household
from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.service import Member

OPEN_MAX: Final = 16

log = logging.getLogger(__name__)


class Examinations:
    """Who was asked what, and has not answered yet."""

    def __init__(self, household: Household) -> None:
        self._household = household
        self._own = Examiner("supervisor", self._answer)
        self._open: dict[int, ChildProcess] = {}

    def ask(self, question: Examine) -> None:
        """Pass a question on; one that cannot be is answered at once."""
        if question.service == "supervisor":
            self._note(question)
            self._own.take(question, time.monotonic())
            return
        service = next((service for service in self._household.services if service.name == question.service), None)
        if service is None or service.child is None or service.state is not ServiceState.READY:
            self._answer(Examined(question.number, question.service, fault="is not running"))
        elif len(self._open) >= OPEN_MAX:
            self._answer(Examined(question.number, question.service, fault="too many questions are open"))
        else:
            self._open[question.number] = service.child
            self._note(question)
            self._household.tell(service, question)

    def answered(self, member: Member, answer: Examined) -> bool:
        """Pass an answer on. False if this process was not asked that."""
        if self._open.get(answer.number) is not member.child or answer.service != member.service.name:
            return False
        del self._open[answer.number]
        self._answer(answer)
        return True

    def gone(self, member: Member) -> None:
        """Answer for a process that has ended; one that asked hears nothing any more."""
        for number in [number for number, asked in self._open.items() if asked is member.child]:
            del self._open[number]
            self._answer(Examined(number, member.service.name, fault="its process ended before it answered"))

    def pass_time(self, now_s: float) -> None:
        """Finish what the supervisor itself was asked."""
        self._own.pass_time(now_s)

    def _note(self, question: Examine) -> None:
        detail = f"{question.action}, asked by an operator"
        log.info("%s: %s", question.service, detail)
        self._household.report.happened(EventKind.EXAMINED, question.service, detail)

    def _answer(self, answer: Examined) -> None:
        self._household.tell(self._household.control, answer)
