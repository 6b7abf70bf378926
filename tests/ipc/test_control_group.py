"""Limits of memory, in folders that look like the kernel's."""

from pathlib import Path

import pytest

from ipc.control_group import MemoryLimit, memory_limit


@pytest.fixture
def own_groups(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


@pytest.fixture
def hierarchies(tmp_path: Path) -> Path:
    return tmp_path / "fs"


def limited(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    return file


def test_lowest_of_own_group_and_those_around_it_counts(own_groups: Path, hierarchies: Path) -> None:
    own_groups.write_text("0::/system.slice/omnishotd.service\n")
    limited(hierarchies / "system.slice/omnishotd.service", "memory.max", "900\n")
    lowest = limited(hierarchies / "system.slice", "memory.max", "500\n")
    limited(hierarchies / "user.slice", "memory.max", "1\n")
    limited(hierarchies.parent, "memory.max", "1\n")

    assert memory_limit(own_groups, hierarchies) == MemoryLimit(500, lowest)


def test_group_without_a_limit_has_none(own_groups: Path, hierarchies: Path) -> None:
    own_groups.write_text("0::/omnishotd.service\n")
    limited(hierarchies / "omnishotd.service", "memory.max", "max\n")

    assert memory_limit(own_groups, hierarchies) is None


def test_limit_of_the_older_hierarchy_is_found_among_the_others(own_groups: Path, hierarchies: Path) -> None:
    own_groups.write_text("9:name=systemd:/\n7:cpu,cpuacct:/a\n4:hugetlb,memory:/a:b\n0::/\n")
    limited(hierarchies / "cpu/a", "memory.limit_in_bytes", "1\n")
    file = limited(hierarchies / "memory/a:b", "memory.limit_in_bytes", "700\n")

    assert memory_limit(own_groups, hierarchies) == MemoryLimit(700, file)


def test_container_that_sees_its_own_group_at_the_top_finds_its_limit(own_groups: Path, hierarchies: Path) -> None:
    own_groups.write_text("4:memory:/docker/0123\n")
    file = limited(hierarchies / "memory", "memory.limit_in_bytes", "600\n")

    assert memory_limit(own_groups, hierarchies) == MemoryLimit(600, file)


def test_host_that_tells_nothing_has_no_limit(own_groups: Path, hierarchies: Path) -> None:
    assert memory_limit(own_groups, hierarchies) is None


def test_this_process_can_ask() -> None:
    limit = memory_limit()

    assert limit is None or (limit.bytes > 0 and limit.file.exists())
