"""Secret: what stands in a file that is for one user's eyes, read once."""

import os
import stat
import struct
from pathlib import Path
from typing import Final

FILE_BYTES_MAX: Final = 4096

_ACCESS_LIST: Final = "system.posix_acl_access"
_ENTRY: Final = struct.Struct("<HHI")
"""Of an access list, after four bytes of version: tag, permissions, id (acl(5), linux/posix_acl_xattr.h)."""
_USER, _GROUP_OBJECT, _GROUP, _OTHER = 0x02, 0x04, 0x08, 0x20


class SecretUnusable(ValueError):
    """The file does not hold what it should, or others may read it. The text is for the operator."""


def read_secret(path: Path) -> str:
    """Read a secret; white space around it does not count. Raises `SecretUnusable`, OSError."""
    with path.open("rb") as source:
        mode = stat.S_IMODE(os.fstat(source.fileno()).st_mode)
        if mode & 0o077 and not _is_for_us_alone(source.fileno()):
            raise SecretUnusable(f"{path} may be read by others than its owner (mode {mode:04o}, must be 0600)")
        data = source.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise SecretUnusable(f"{path} has more than {FILE_BYTES_MAX} bytes")
    return data.decode("ascii", errors="replace").strip()


def _is_for_us_alone(descriptor: int) -> bool:
    """Tell whether the group's bits are an access list's, which lets in nobody but this user.

    systemd hands a service its credentials so: the file is root's, and where the mode has the group's bits stands the
    mask of a list that names the service's user.
    """
    try:
        access_list = os.getxattr(descriptor, _ACCESS_LIST)
    except OSError:
        return False
    for tag, permissions, identity in _ENTRY.iter_unpack(access_list[4:]):
        if tag == _USER and permissions and identity not in {0, os.geteuid()}:
            return False
        if tag in {_GROUP_OBJECT, _GROUP, _OTHER} and permissions:
            return False
    return True
