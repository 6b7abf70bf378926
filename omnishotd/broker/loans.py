"""Loans of frames that are started: where their pixels lie, or that they are lost. Pure."""

from ipc.errors import FrameError
from ipc.messages import Extent, Fault
from omnishotd.broker.frame import Frame
from omnishotd.broker.segments import Loan


class LoanLost(Exception):
    """What was lent for a frame that is to be started is not there any more."""

    def __init__(self, frame: Frame, error: FrameError) -> None:
        super().__init__(str(error))
        self.frame = frame
        self.fault = Fault(error.code, error.message)


def lent_pixels(frame: Frame, loan: Loan) -> Extent:
    """Tell workers where a frame's pixels are lent. Raises `LoanLost`."""
    try:
        return loan.extent()
    except FrameError as error:
        raise LoanLost(frame, error) from error
