"""CPU quotas, read from trees of files like those of /proc and /sys."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.serving.quota import cpu_quota, stopped_s, thread_limit

V1 = "sys/fs/cgroup/cpu"
V2 = "sys/fs/cgroup"


def tree(root: Path, *, own: str, files: dict[str, str]) -> Path:
    """A root directory with the text of /proc/self/cgroup and these files."""
    for path, text in {"proc/self/cgroup": own, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def v1(group: str, quota_us: int, period_us: int = 100_000) -> dict[str, str]:
    folder = f"{V1}{group}".rstrip("/")
    return {
        f"{folder}/cpu.cfs_quota_us": f"{quota_us}\n",
        f"{folder}/cpu.cfs_period_us": f"{period_us}\n",
    }


@given(quota_us=st.integers(1_000, 10**8), period_us=st.integers(1_000, 10**6))
@settings(max_examples=25)
def test_both_versions_give_quota_over_period(
    tmp_path_factory: pytest.TempPathFactory, quota_us: int, period_us: int
) -> None:
    expected = pytest.approx(quota_us / period_us)
    old = tree(tmp_path_factory.mktemp("v1"), own="1:cpu:/\n", files=v1("/", quota_us, period_us))
    assert cpu_quota(old) == expected
    text = f"{quota_us} {period_us}\n"
    new = tree(tmp_path_factory.mktemp("v2"), own="0::/\n", files={f"{V2}/cpu.max": text})
    assert cpu_quota(new) == expected


def test_there_is_no_quota_where_nothing_says_so(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None
    assert cpu_quota(tree(tmp_path, own="0::/\n", files={f"{V2}/cpu.max": "max 100000\n"})) is None
    assert cpu_quota(tree(tmp_path, own="1:cpu:/\n", files=v1("/", -1))) is None


@pytest.mark.parametrize("text", ["", "\n", "max", "100000", "x 100000", "5 0", "-5 100", "\x00"])
def test_a_file_that_makes_no_sense_is_no_quota(tmp_path: Path, text: str) -> None:
    assert cpu_quota(tree(tmp_path, own="0::/\n", files={f"{V2}/cpu.max": text})) is None


@given(st.binary(max_size=60), st.binary(max_size=60))
@settings(max_examples=50)
def test_no_bytes_in_these_files_lead_to_an_error(
    tmp_path_factory: pytest.TempPathFactory, own: bytes, quota: bytes
) -> None:
    root = tree(tmp_path_factory.mktemp("any"), own="", files={f"{V2}/cpu.max": ""})
    (root / "proc/self/cgroup").write_bytes(own)
    (root / V2 / "cpu.max").write_bytes(quota)
    assert (cpu_quota(root) or 1) > 0
    assert thread_limit(root) >= 1


def test_a_process_that_was_put_into_a_group_finds_it_below_the_mount(tmp_path: Path) -> None:
    own = "2:cpuacct:/\n1:cpu:/infadapter/glyph-3\n0::/\n"
    files = v1("/", -1) | v1("/infadapter", -1) | v1("/infadapter/glyph-3", 50_000)
    assert cpu_quota(tree(tmp_path, own=own, files=files)) == 0.5


def test_version_1_may_mount_cpu_with_its_accounting(tmp_path: Path) -> None:
    files = {
        path.replace("/cpu/", "/cpu,cpuacct/"): text for path, text in v1("/a", 70_000).items()
    }
    assert cpu_quota(tree(tmp_path, own="4:cpu,cpuacct:/a\n", files=files)) == 0.7


def test_a_group_of_version_2_below_the_mount_is_found_also_beside_version_1(
    tmp_path: Path,
) -> None:
    files = {f"{V2}/unified/a/b/cpu.max": "250000 100000\n"}
    assert cpu_quota(tree(tmp_path, own="1:cpuset:/\n0::/a/b\n", files=files)) == 2.5


def test_in_a_container_the_path_may_be_the_hosts_and_the_mount_is_its_own_group(
    tmp_path: Path,
) -> None:
    own = "4:cpu,cpuacct:/kubepods/burstable/pod7/abc\n"
    assert cpu_quota(tree(tmp_path, own=own, files=v1("/", 150_000))) == 1.5


def test_a_path_that_leads_out_of_the_namespace_is_not_followed(tmp_path: Path) -> None:
    files = {"sys/fs/cpu.max": "1000 100000\n", f"{V2}/cpu.max": "300000 100000\n"}
    assert cpu_quota(tree(tmp_path, own="0::/../..\n", files=files)) == 3


@given(st.lists(st.none() | st.integers(1_000, 10**7), min_size=1, max_size=5))
@settings(max_examples=25)
def test_the_smallest_quota_on_the_way_up_binds(
    tmp_path_factory: pytest.TempPathFactory, quotas: list[int | None]
) -> None:
    own, files = "", {}
    for level, quota_us in enumerate(quotas):
        own += f"/{level}"
        text = "max" if quota_us is None else str(quota_us)
        files[f"{V2}{own}/cpu.max"] = f"{text} 100000\n"
    root = tree(tmp_path_factory.mktemp("levels"), own=f"0::{own}\n", files=files)
    set_quotas = [quota_us / 100_000 for quota_us in quotas if quota_us is not None]
    assert cpu_quota(root) == min(set_quotas, default=None)


@pytest.mark.parametrize(
    ("quota", "cores", "threads"),
    [(0.1, 8, 1), (0.9, 8, 1), (1.0, 8, 1), (1.9, 8, 1), (2.0, 8, 2), (3.7, 8, 3), (16, 8, 8)],
)
def test_threads_never_exceed_quota_or_affinity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: float, cores: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    tree(tmp_path, own="1:cpu:/\n", files=v1("/", round(quota * 100_000)))
    assert thread_limit(tmp_path) == threads


def test_without_a_quota_threads_follow_the_affinity_and_the_ceiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert thread_limit(tmp_path) == 3
    assert thread_limit(tmp_path, ceiling=2) == 2
    assert thread_limit(tmp_path, ceiling=7) == 3


def test_the_quota_of_this_very_process_can_be_read() -> None:
    assert thread_limit() >= 1


def test_how_long_the_quota_stopped_it_is_told_in_seconds_by_both_versions(tmp_path: Path) -> None:
    old = {**v1("/", 30_000), f"{V1}/cpu.stat": "nr_throttled 4\nthrottled_time 250000000\n"}
    assert stopped_s(tree(tmp_path / "old", own="1:cpu:/\n", files=old)) == pytest.approx(0.25)
    new = {f"{V2}/cpu.max": "30000 100000", f"{V2}/cpu.stat": "usage_usec 9\nthrottled_usec 250000"}
    assert stopped_s(tree(tmp_path / "new", own="0::/\n", files=new)) == pytest.approx(0.25)


def test_the_nearest_group_with_a_quota_says_how_long_and_none_above_it(tmp_path: Path) -> None:
    """Above it are the pod's other containers, or all of a machine that is played slower."""
    files = {
        f"{V2}/a/cpu.max": "50000 100000",
        f"{V2}/a/cpu.stat": "throttled_usec 9000000",
        f"{V2}/a/b/cpu.max": "30000 100000",
        f"{V2}/a/b/cpu.stat": "throttled_usec 1000000",
        f"{V2}/a/b/c/cpu.max": "max 100000",
        f"{V2}/a/b/c/cpu.stat": "throttled_usec 0",
    }
    assert stopped_s(tree(tmp_path, own="0::/a/b/c\n", files=files)) == pytest.approx(1.0)


@pytest.mark.parametrize("stat", ["", "throttled_usec", "throttled_usec x", "throttled_usec -4"])
def test_where_nothing_says_so_it_was_never_stopped(tmp_path: Path, stat: str) -> None:
    assert stopped_s(tmp_path) == 0.0
    files = {f"{V2}/cpu.max": "30000 100000", f"{V2}/cpu.stat": stat}
    assert stopped_s(tree(tmp_path / "odd", own="0::/\n", files=files)) == 0.0
