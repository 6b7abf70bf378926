"""Families: Prometheus is told what the collector knows, to the last count, under names that follow its conventions."""

import math
import shutil
import subprocess
import time

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from control.families import EDGES_US, families
from control.observer import Observer
from control.webhook import Webhook
from ipc.causes import Cause
from ipc.errors import ErrorCode
from ipc.histogram import LIMIT_US
from ipc.telemetry import SERVICES_MAX, ProducerFigures, Telemetry
from tests.control.scrape import (
    Samples,
    broker_that_worked,
    crowd,
    families_of,
    observed,
    samples_of,
    scrape,
    value,
    worker_that_worked,
)
from tests.control.support import make_broker, make_histogram, make_settings, make_supervisor


def test_counters_and_gauges_are_the_sums_of_the_collector() -> None:
    observer = observed()
    samples = samples_of(scrape(observer))
    sums = observer.collector.pipeline(time.monotonic()).sums
    frames = sums.frames

    for name, expected in {
        "frames_received_total": frames.received,
        "frames_in_flight": frames.in_flight,
        "frames_queued": frames.queued,
        "frames_retried_total": frames.retried,
        "frames_lost_total": sums.lost,
        "replies_dropped_total": frames.replies_dropped,
        "stale_answers_total": frames.stale_answers,
        "malformed_messages_total": frames.malformed,
        "received_bytes_total": frames.payload_bytes,
        "sent_bytes_total": frames.reply_bytes,
        "queue_bytes": frames.queued_bytes,
        "queue_limit_frames": 10,
        "queue_limit_bytes": 1000,
        "frame_duration_seconds_count": sums.latency.count,
        "frame_duration_seconds_sum": sums.latency.sum_us / 1e6,
        "queue_wait_seconds_count": sums.queue_latency.count,
        "queue_wait_seconds_sum": sums.queue_latency.sum_us / 1e6,
        "arena_high_water_bytes": 800,
        "arena_largest_free_bytes": 400,
        "canary_duration_seconds": 0.0025,
        "ready": 1,
    }.items():
        assert value(samples, name) == expected, name
    for outcome in ("completed", "failed", "rejected", "cancelled"):
        assert value(samples, "frames_ended_total", outcome=outcome) == getattr(frames, outcome)
    for code in ErrorCode:
        assert value(samples, "errors_total", code=code.value) == sums.errors.get(code, 0)
    assert value(samples, "errors_total", code="POISON") == 1


def test_account_of_frames_adds_up_in_a_scrape() -> None:
    samples = samples_of(scrape(observed()))

    ended = sum(each for (name, _), each in samples.items() if name == "omnishotd_frames_ended_total")
    held = value(samples, "frames_in_flight") + value(samples, "frames_queued")
    by_priority = sum(each for (name, _), each in samples.items() if name == "omnishotd_queue_frames")
    assert value(samples, "frames_received_total") == ended + held == 71
    assert value(samples, "frames_queued") == by_priority == 7
    assert value(samples, "queue_frames", priority="5") == 4


def test_stages_are_summed_over_their_workers() -> None:
    observer = observed()
    samples = samples_of(scrape(observer))

    for stage in ("decode", "transform", "encode"):
        total = observer.collector.stage(stage, time.monotonic()).total
        assert value(samples, "stage_steps_total", stage=stage, outcome="completed") == total.completed
        assert value(samples, "stage_steps_total", stage=stage, outcome="failed") == total.failed
        assert value(samples, "stage_busy_seconds_total", stage=stage) == total.busy_us / 1e6
        assert value(samples, "stage_duration_seconds_count", stage=stage) == total.latency.count
        assert value(samples, "stage_duration_seconds_sum", stage=stage) == total.latency.sum_us / 1e6
    assert value(samples, "stage_steps_total", stage="decode", outcome="completed") == 40


def test_services_show_their_state_restarts_and_heartbeat() -> None:
    samples = samples_of(scrape(observed()))
    decode = {"service": "decode-1", "kind": "decode"}

    assert value(samples, "service_state", **decode, state="ready") == 1
    assert value(samples, "service_state", **decode, state="backoff") == 0
    assert value(samples, "service_restarts_total", **decode, cause="crash") == 2
    assert value(samples, "service_restarts_total", **decode, cause="time_limit") == 1
    assert value(samples, "service_restarts_total", **decode, cause="exit") == 0
    assert value(samples, "workers_ready", pool="decode") == value(samples, "workers_configured", pool="decode") == 2
    assert value(samples, "worker_utilization_ratio", service="decode-0") == 0
    assert value(samples, "build_info", version="1.2.3") == 1
    assert 60 <= value(samples, "uptime_seconds") < 120
    assert value(samples, "arena_bytes", state="used") == 300
    assert value(samples, "arena_bytes", state="free") == 700
    assert value(samples, "arena_owned_bytes", owner="waiting") == 100


def test_age_of_a_heartbeat_is_in_seconds() -> None:
    observer = Observer(make_settings())
    observer.take(make_supervisor(at_s=time.monotonic() - 2), time.monotonic())
    samples = samples_of(scrape(observer))

    assert 2 <= value(samples, "service_heartbeat_age_seconds", service="supervisor", kind="supervisor") < 60


def test_state_that_is_not_known_is_shown_all_the_same() -> None:
    observer = Observer(make_settings())
    observer.take(make_supervisor(decode_0="dancing", at_s=time.monotonic()), time.monotonic())
    samples = samples_of(scrape(observer))

    assert value(samples, "service_state", service="decode-0", kind="decode", state="dancing") == 1
    assert value(samples, "service_state", service="decode-0", kind="decode", state="ready") == 0


def test_alert_that_fires_is_shown() -> None:
    observer = observed()
    samples = samples_of(scrape(observer))
    assert value(samples, "alert_firing", alert="pool_failed") == 0

    now_s = time.monotonic()
    supervisor = make_supervisor(sequence=2, at_s=now_s, decode_0="failed")
    observer.take(supervisor, now_s)
    observer.judge(now_s)

    assert value(samples_of(scrape(observer)), "alert_firing", alert="pool_failed") == 1


def test_webhook_tells_how_it_fared_and_is_zero_where_there_is_none() -> None:
    observer = observed()
    assert value(samples_of(scrape(observer)), "webhook_alerts_total", outcome="failed") == 0

    webhook = observer.webhook = Webhook("http://127.0.0.1:9/")
    webhook.delivered_count, webhook.failed_count, webhook.dropped_count = 3, 2, 1
    samples = samples_of(scrape(observer))

    outcomes = ("delivered", "failed", "dropped")
    assert [value(samples, "webhook_alerts_total", outcome=outcome) for outcome in outcomes] == [3, 2, 1]


def test_what_is_not_known_is_left_out_and_not_zero() -> None:
    samples = samples_of(scrape(Observer(make_settings())))
    names = {name for name, _ in samples}

    assert value(samples, "frames_received_total") == 0
    assert value(samples, "frame_duration_seconds_bucket", le="+Inf") == 0
    assert value(samples, "ready") == 0
    assert not names & {
        "omnishotd_uptime_seconds",
        "omnishotd_arena_bytes",
        "omnishotd_canary_age_seconds",
        "omnishotd_host_cpu_ratio",
        "omnishotd_host_memory_ratio",
    }


def histogram_in(samples: Samples, name: str) -> dict[float, float]:
    return {
        float(dict(labels)["le"]): count
        for (sample, labels), count in samples.items()
        if sample == f"omnishotd_{name}_bucket"
    }


AROUND_EDGES = st.sampled_from([edge_us + step for edge_us in EDGES_US for step in (-1, 0, 1)])


@given(st.lists(AROUND_EDGES | st.integers(0, 200) | st.integers(0, LIMIT_US), max_size=40))
def test_cumulative_counts_are_exact_at_every_edge(durations_us: list[int]) -> None:
    observer = Observer(make_settings())
    observer.take(make_broker(latency=make_histogram(*durations_us)), time.monotonic())
    family = next(each for each in families(observer, time.monotonic()) if each.name.endswith("frame_duration_seconds"))

    counts = {sample.labels["le"]: sample.value for sample in family.samples if "le" in sample.labels}
    edges = {le: math.inf if le == "+Inf" else round(float(le) * 1e6) for le in counts}
    assert counts == {le: sum(duration <= edge_us for duration in durations_us) for le, edge_us in edges.items()}
    assert list(edges.values()) == [*EDGES_US, math.inf]


def test_counters_never_go_back_whatever_dies() -> None:
    observer = observed()
    before = samples_of(scrape(observer))
    now_s = time.monotonic()
    steps: list[Telemetry] = [
        worker_that_worked(now_s, sequence=2, times=3),
        worker_that_worked(now_s, sequence=1, incarnation=9),
        worker_that_worked(now_s, sequence=2, incarnation=9, times=2),
        broker_that_worked(now_s, sequence=2, times=3),
        broker_that_worked(now_s, sequence=1, incarnation=8),
        broker_that_worked(now_s, sequence=3, times=4),
    ]
    is_counter = {
        sample.name for family in families_of(scrape(observer)) if family.type != "gauge" for sample in family.samples
    }
    assert len(is_counter) > 20
    for message in steps:
        observer.take(message, time.monotonic())
        after = samples_of(scrape(observer))

        back = {key: (each, after.get(key)) for key, each in before.items() if after.get(key, -1) < each}
        # The pictures of a broker's own are counted from its start; Prometheus takes that for the restart it is.
        back = {key: each for key, each in back.items() if key[0] in is_counter and "canary" not in key[0]}
        assert back == {}
        before = after
    steps_total = value(before, "stage_steps_total", stage="decode", outcome="completed")
    assert steps_total == 3 * 20 + 2 * 20 + 20
    assert value(before, "received_bytes_total") == (4 + 1) * 12_345


def test_labels_do_not_depend_on_what_producers_send() -> None:
    observer = observed()
    before = samples_of(scrape(observer)).keys()
    producers = [ProducerFigures(f"producer-{number}", 1, 1) for number in range(16)]
    told = msgspec.structs.replace(broker_that_worked(time.monotonic(), sequence=2), producers=producers)
    observer.take(told, time.monotonic())
    text = scrape(observer)

    assert samples_of(text).keys() == before
    assert "producer-" not in text
    assert "camera-in-the-hall" not in text


def test_samples_are_bounded_by_the_number_of_services() -> None:
    few, many = (len(samples_of(scrape(crowd(count)))) for count in (1, SERVICES_MAX))

    each = (many - few) / (SERVICES_MAX - 1)
    assert each <= 6 + len(Cause) + 10
    assert few < 300


def test_names_follow_the_conventions() -> None:
    text = scrape(observed())

    for family in families_of(text):
        assert family.name.startswith("omnishotd_")
        assert family.documentation.endswith(".")
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
        assert not family.name.endswith(("_ms", "_us", "_percent", "_mb"))
    promtool = shutil.which("promtool")
    if promtool:
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
