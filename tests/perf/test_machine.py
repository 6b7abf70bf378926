"""Facts about the machine."""

import platform

from perf.machine import cpu_model


def test_cpu_model_of_a_pc_is_its_name() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2.60GHz\nmodel name\t: Other\n") == "Some CPU @ 2.60GHz"


def test_cpu_model_where_there_is_none_is_the_architecture() -> None:
    assert cpu_model("processor\t: 0\nFeatures\t: fp asimd\n") == platform.machine()
