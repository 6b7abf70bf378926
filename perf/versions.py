"""Versions of what is installed for Python."""

from importlib.metadata import PackageNotFoundError, version


def versions_of(*packages: str) -> str:
    """Name packages with their versions, those that are there."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
