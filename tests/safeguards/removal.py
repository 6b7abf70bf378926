"""Removal: a module is loaded with one of its safeguards taken out of its source."""

import importlib
import importlib.abc
import importlib.util
import sys


def remove(module: str, safeguard: str, instead: str) -> None:
    """Load `module` with `instead` in place of `safeguard`, for all who will import it.

    Raises RuntimeError where the safeguard does not stand in it exactly once, and where the module was loaded before:
    then somebody may have what is to be replaced.
    """
    if module in sys.modules:
        raise RuntimeError(f"{module} was loaded already")
    package, _, name = module.rpartition(".")
    parent = importlib.import_module(package)
    spec = importlib.util.find_spec(module)
    if spec is None or not isinstance(spec.loader, importlib.abc.InspectLoader):
        raise RuntimeError(f"{module} has no source")
    source = spec.loader.get_source(module) or ""
    if source.count(safeguard) != 1:
        raise RuntimeError(f"{module} holds {source.count(safeguard)} times, and not once: {safeguard}")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    setattr(parent, name, loaded)
    exec(compile(source.replace(safeguard, instead), module, "exec"), loaded.__dict__)  # noqa: S102 - our own source
