"""The event log of a Spark application, and the cluster's own pages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest

from graders.clients import spark
from graders.clients.spark import Cluster, read_log
from graders.errors import ApiError, OutOfBounds

APP = "app-20250101000000-0000"


def event(name: str, **rest: object) -> dict[str, object]:
    return {"Event": f"SparkListener{name}", **rest}


def task(
    executor: str = "0", *, read: int = 0, size: int = 100, stage: int = 0, end: str = "Success"
):
    return event(
        "TaskEnd",
        **{
            "Stage ID": stage,
            "Task End Reason": {"Reason": end},
            "Task Info": {"Executor ID": executor, "Host": "172.18.0.3"},
            "Task Metrics": {"Result Size": size, "Input Metrics": {"Records Read": read}},
        },
    )


def whole(
    *tasks: dict[str, object], master: str = "spark://master:7077"
) -> list[dict[str, object]]:
    return [
        event("LogStart", **{"Spark Version": "4.3.0"}),
        event("EnvironmentUpdate", **{"Spark Properties": {"spark.master": master}}),
        event("ApplicationStart", **{"App ID": APP}),
        event("ExecutorAdded", **{"Executor ID": "0", "Executor Info": {"Host": "172.18.0.3"}}),
        *tasks,
        event("StageCompleted", **{"Stage Info": {"Stage ID": 0}}),
        event("ApplicationEnd", Timestamp=1),
    ]


def text(events: Iterable[dict[str, object]]) -> bytes:
    return "".join(json.dumps(e, separators=(",", ":")) + "\n" for e in events).encode()


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def test_a_log_tells_who_did_the_work_and_what_the_driver_received() -> None:
    log = read_log([text(whole(task(read=900, size=2_000), task(read=100, size=50, stage=3)))])
    assert (log.application, log.master, log.executors) == (APP, "spark://master:7077", {"0"})
    assert (log.tasks, log.read, log.sent) == ({"0": 2}, {"0": 1_000}, {0: 2_000, 3: 50})
    assert log.stages == 1


def test_failed_tasks_and_stages_do_not_count() -> None:
    failed = event("StageCompleted", **{"Stage Info": {"Stage ID": 1, "Failure Reason": "lost"}})
    log = read_log([text([*whole(task(read=5, end="ExceptionFailure")), failed])])
    assert log.tasks == {}
    assert log.stages == 1


def test_zstd_frames_follow_one_another_and_lines_cross_them() -> None:
    plain = text(whole(task(read=7)))
    frames = b"".join(zstd(plain[at : at + 50]) for at in range(0, len(plain), 50))
    assert read_log([frames]) == read_log([plain])


def test_a_log_in_several_files_is_one_log() -> None:
    events = whole(task(read=7), task(read=8))
    assert read_log([text(events[:5]), zstd(text(events[5:]))]) == read_log([text(events)])


@pytest.mark.parametrize("compress", [bytes, zstd])
def test_a_log_cut_short_counts_as_far_as_it_goes(compress: Any) -> None:
    frames = [compress(text([task(read=1)] * 50)) for _ in range(20)]
    log = read_log([b"".join([compress(text(whole())), *frames])[:-4]])
    assert 900 <= log.read["0"] < 1_000


@pytest.mark.parametrize(
    "line",
    [
        b'{"Event":"SparkListenerTaskEnd"}',
        b'{"Event":"SparkListenerTaskEnd","Task End Reason":[]}',
        b'{"Event":"SparkListenerApplicationStart",',
        b'{"Event":"SparkListenerEnvironmentUpdate","Spark Properties":3}',
        b'{"Event":"SparkListenerTaskEnd","a":' + b"[" * 100_000,
        b'{"Event":"SparkListenerTaskEnd","Stage ID":' + b"9" * 5_000 + b"}",
    ],
)
def test_a_forged_log_is_the_students_fault(line: bytes) -> None:
    with pytest.raises(ApiError, match="illisible"):
        read_log([line + b"\n"])


def test_other_events_are_not_even_parsed() -> None:
    assert read_log([b'{"Event":"SparkListenerJobStart", not json\n']).tasks == {}
    assert read_log([b"\x00\xff\n\n"]).application == ""


def test_a_log_is_bounded_in_size_and_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "LOG_MOST", 1_000)
    bomb = zstd(b"a" * 500 + b"\n" + b"a" * 600 + b"\n")
    with pytest.raises(OutOfBounds, match="dépasse"):
        read_log([bomb])
    monkeypatch.setattr(spark, "EVENTS_MOST", 2)
    with pytest.raises(OutOfBounds, match="plus de 2 événements"):
        read_log([b"{}\n{}\n{}\n"])


class Pages:
    def __init__(self, **pages: object) -> None:
        self.pages = pages

    def json(self, url: str) -> Any:
        return self.pages[url]


def test_a_cluster_tells_its_workers_applications_and_executors() -> None:
    master = {
        "workers": [{"state": "ALIVE"}, {"state": "DEAD"}],
        "activeapps": [{"id": "app-1", "state": "RUNNING"}],
        "completedapps": [{"id": "app-0", "state": "FINISHED"}],
    }
    one = {
        "executors": [{"id": 1, "appid": "app-1"}],
        "finishedexecutors": [{"id": 0, "appid": "app-0"}],
    }
    two = {"executors": [], "finishedexecutors": [{"id": 2, "appid": "app-0"}]}
    cluster = Cluster(Pages(m=master, a=one, b=two), "m", ["a", "b"])
    assert cluster.alive() == 1
    assert cluster.applications() == {"app-0": "FINISHED", "app-1": "RUNNING"}
    assert cluster.executors("app-0") == {"0", "2"}


@pytest.mark.parametrize("page", [[], {}, {"workers": 3}, {"workers": ["a"]}])
def test_a_page_that_is_not_a_masters_is_an_api_error(page: object) -> None:
    with pytest.raises(ApiError, match="Spark autonome"):
        Cluster(Pages(m=page), "m", []).alive()
