"""Roster: which services a configuration asks for. Pure."""

from ipc.settings import Settings
from omnishotd.supervisor.service import Service

BROKER = "broker"
CONTROL = "control"


def roster(settings: Settings) -> list[Service]:
    """List the services, in the order in which they are started: what others connect to comes first."""
    services = [
        Service(BROKER, BROKER, "omnishotd.broker"),
        Service(CONTROL, CONTROL, "control"),
    ]
    for pool in settings.pipeline.pools:
        services += [
            Service(f"{pool.name}-{number}", pool.name, "stages.worker", list(pool.stages))
            for number in range(pool.workers)
        ]
    return services
