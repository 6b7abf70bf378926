"""Credentials: the folder in which systemd puts a service's secrets, as the paths of secret files name it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from omnishotd.config.schema import Configuration

SOURCE: Final = Path("/etc/omnishotd")
"""Where the unit takes them from. Who is not the service, and may read them, finds them there."""

_VARIABLE: Final = "CREDENTIALS_DIRECTORY"


def credentials_directory(environment: Mapping[str, str]) -> Path:
    """Return the folder that systemd has made for this service, or else the one from which it would."""
    by_systemd = environment.get(_VARIABLE, "")
    return Path(by_systemd) if by_systemd.startswith("/") else SOURCE


def with_credentials(configuration: Configuration, directory: Path) -> Configuration:
    """Put the folder in its place in the paths of secret files."""

    def placed(path: str) -> str:
        return path.replace(f"${_VARIABLE}", str(directory))

    frames, control = configuration.frames, configuration.control
    return configuration.model_copy(
        update={
            "frames": frames.model_copy(update={"curve_secret_key_file": placed(frames.curve_secret_key_file)}),
            "control": control.model_copy(update={"token_file": placed(control.token_file)}),
        }
    )
