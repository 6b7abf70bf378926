"""Bodies as a control plane sends them: of a daemon with five workers, busy and well."""

from typing import Any, Final

Body = dict[str, Any]

NOW: Final = "2026-03-09T12:30:00.000+00:00"

HEALTH: Final[Body] = {
    "status": "ok",
    "version": "0.1.0",
    "epoch": "5e1f",
    "uptime_s": 11_520.0,
    "checks": {"broker": {"status": "ok", "detail": "heard 0.1 s ago"}, "alerts": {"status": "ok", "detail": ""}},
}


def latency(p50: float | None = None, p95: float | None = None, p99: float | None = None) -> Body:
    """Quantiles in milliseconds."""
    return {"p50": p50, "p95": p95, "p99": p99, "max": p99}


def stage(workers: int, utilization: float, *quantiles: float) -> Body:
    """One stage."""
    return {
        "workers": workers,
        "busy": workers,
        "completed": 120_413,
        "failed": 12,
        "utilization": utilization,
        "latency_ms": latency(*quantiles),
        "recent_latency_ms": latency(*quantiles),
    }


METRICS: Final[Body] = {
    "timestamp": NOW,
    "frames": {
        "received": 120_465,
        "completed": 120_401,
        "failed": 12,
        "rejected": 31,
        "cancelled": 2,
        "in_flight": 8,
        "queued": 11,
        "queued_bytes": 1_730_000,
        "retried": 3,
        "lost": 1,
        "replies_dropped": 0,
        "stale_answers": 0,
        "malformed": 0,
        "payload_bytes": 18_300_000_000,
        "reply_bytes": 2_410_000_000,
        "backlog_bytes": 0,
    },
    "throughput_fps": 412.37,
    "error_rate": 0.0123,
    "errors": {"BUSY": 3, "BAD_IMAGE": 28, "EXPIRED": 12},
    "latency_ms": latency(19.0, 41.0, 66.0),
    "recent_latency_ms": latency(18.72, 38.4, 61.25),
    "queue": {
        "frames": 11,
        "frames_max": 256,
        "bytes": 1_730_000,
        "bytes_max": 134_217_728,
        "by_priority": {"5": 10, "9": 1},
        "by_producer": [{"producer": "camera", "frames": 11, "bytes": 1_730_000}],
        "wait_ms": latency(4.0, 12.5, 20.0),
    },
    "stages": {
        "decode": stage(2, 0.871, 3.1, 5.87, 9.02),
        "transform": stage(1, 0.34, 0.7, 1.13, 2.0),
        "encode": stage(2, 0.126, 0.84, 1.9, 2.31),
    },
    "workers": [],
    "restarts": {"total": 1, "by_cause": {"crash": 1}},
    "canary": {"passed": 2304, "failed": 0, "age_s": 1.2, "took_ms": 11.4},
    "arena": {
        "total_bytes": 268_435_456,
        "used_bytes": 31_400_000,
        "high_water_bytes": 96_100_000,
        "largest_free_bytes": 140_000_000,
    },
    "system": {"cpu_percent": 71.4, "memory_percent": 43.0, "load_average": [1.93, 1.2, 0.9]},
    "alerts": [],
}


def service(name: str, pid: int, pss_bytes: int, utilization: float | None = None, **other: Any) -> Body:
    """One service that is well, but for what is said otherwise."""
    return {
        "name": name,
        "kind": name.partition("-")[0],
        "state": "ready",
        "pid": pid,
        "uptime_s": 11_519.0,
        "restarts": 0,
        "last_exit": None,
        "busy": False,
        "heartbeat_age_ms": 120,
        "restarts_by_cause": {},
        "utilization": utilization,
        "cpu_percent": 4.0,
        "pss_bytes": pss_bytes,
        "descriptors": 21,
        "sandbox": None,
        **other,
    }


KILLED: Final[Body] = {
    "code": None,
    "signal": "SIGKILL",
    "reason": "killed by SIGKILL",
    "at": "2026-03-09T12:21:07.120+00:00",
    "cause": "crash",
}

SERVICES: Final[Body] = {
    "distribution": {
        "whole_frame_pixels_max": "auto",
        "whole": 7,
        "by_stages": 2,
        "hand_over_ms": 0.25,
        "spread_from_ms": 25.0,
        "heavy_from_ms": 50.0,
        "heavy_waiting": 0,
        "heavy_in_work": 0,
        "light_about": False,
        "arena_kept_bytes": 0,
    },
    "status": "ok",
    "services": [
        service("supervisor", 4100, 9_400_000),
        service("broker", 4102, 31_800_000, cpu_percent=38.0),
        service("control", 4103, 41_000_000),
        service("decode-0", 4104, 48_200_000, 0.88, cpu_percent=86.0),
        service("decode-1", 4131, 47_900_000, 0.862, cpu_percent=85.0, restarts=1, last_exit=KILLED),
        service("transform-0", 4106, 66_300_000, 0.34, cpu_percent=33.0),
        service("encode-0", 4107, 38_800_000, 0.13, cpu_percent=12.0),
        service("encode-1", 4108, 38_700_000, 0.12, cpu_percent=12.0),
    ],
}

MEMORY: Final[Body] = {
    "timestamp": NOW,
    "verdict": "stable",
    "total": {"pss_bytes": 322_100_000, "uss_bytes": 290_000_000, "rss_bytes": 610_000_000},
    "processes": [],
    "arena": {
        "total_bytes": 268_435_456,
        "used_bytes": 31_400_000,
        "high_water_bytes": 96_100_000,
        "largest_free_bytes": 140_000_000,
        "owners": [
            {"owner": "decode-0", "bytes": 14_200_000, "frames": 4, "abandoned": 0},
            {"owner": "decode-1", "bytes": 11_000_000, "frames": 3, "abandoned": 1},
            {"owner": "waiting", "bytes": 6_200_000, "frames": 1, "abandoned": 0},
        ],
    },
    "trend": {
        "window_s": 600.0,
        "slope_bytes_per_minute": 12_300.0,
        "bytes_per_1000_frames": 30.0,
        "confidence": 0.11,
    },
    "recommendations": [],
}


def event(number: int, kind: str, of: str, detail: str = "", at: str = "2026-03-09T12:21:07.120+00:00") -> Body:
    """One event."""
    return {"id": f"supervisor-1-{number}", "at": at, "event": kind, "service": of, "detail": detail}


def alert(name: str, state: str, detail: str) -> Body:
    """One alert."""
    return {
        "name": name,
        "state": state,
        "value": 12.3,
        "threshold": 5.0,
        "since": "2026-03-09T12:24:31.000+00:00",
        "detail": detail,
    }
