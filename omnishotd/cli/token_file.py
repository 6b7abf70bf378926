"""The file that holds the operators' token, as the commands that ask a control plane read it."""

import os
from dataclasses import dataclass
from pathlib import Path

from ipc.token import TokenUnusable, read_token
from omnishotd.cli.program import Failure


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Where the token is. It is read anew for each connection, so that a new token needs no new start."""

    path: Path
    is_required: bool
    """Named on the command line. One that only the configuration names may be for other users' eyes."""

    def read(self) -> str | None:
        """Return the token, None where it need not be known. Raises Failure with status 77."""
        if not self.is_required and not os.access(self.path, os.R_OK, effective_ids=True):
            return None
        try:
            return read_token(self.path)
        except TokenUnusable as error:
            raise Failure(f"token file: {error}", os.EX_NOPERM) from error
        except OSError as error:
            raise Failure(f"token file: {self.path}: {error.strerror}", os.EX_NOPERM) from error
