"""The services that a configuration asks for."""

from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.roster import roster
from tests.control.support import make_settings


def test_roster_lists_what_others_connect_to_first_and_then_each_worker_of_each_pool() -> None:
    services = roster(make_settings())

    assert [(service.name, service.kind, service.module) for service in services] == [
        ("broker", "broker", "omnishotd.broker"),
        ("control", "control", "control"),
        ("decode-0", "decode", "stages.worker"),
        ("decode-1", "decode", "stages.worker"),
        ("transform+encode-0", "transform+encode", "stages.worker"),
    ]
    assert [service.is_worker for service in services] == [False, False, True, True, True]
    assert services[4].stages == ["transform", "encode"]
    assert all(service.state is ServiceState.STOPPED and not service.is_live for service in services)


def test_service_without_a_process_has_figures_without_one() -> None:
    figures = roster(make_settings())[2].figures(0)

    assert (figures.name, figures.kind, figures.state) == ("decode-0", "decode", "stopped")
    assert (figures.pid, figures.started_at_s, figures.last_exit, figures.incarnation) == (None, None, None, 0)
