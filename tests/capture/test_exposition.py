"""Counts as Prometheus reads them."""

from __future__ import annotations

from journeyman.capture.exposition import exposition


def test_each_metric_has_its_type_once_and_all_of_its_values() -> None:
    asked = [({"path": "/healthz", "status": 200}, 1), ({"path": "/v1/models", "status": 200}, 2)]
    said = exposition({"requests_under_way": 3, "commits_total": 4}, {"requests_total": asked, "exchanges_total": []})
    assert said.decode().splitlines() == [
        "# TYPE journeyman_requests_total counter",
        'journeyman_requests_total{path="/healthz",status="200"} 1',
        'journeyman_requests_total{path="/v1/models",status="200"} 2',
        "# TYPE journeyman_exchanges_total counter",
        "# TYPE journeyman_requests_under_way gauge",
        "journeyman_requests_under_way 3",
        "# TYPE journeyman_commits_total counter",
        "journeyman_commits_total 4",
    ]
    assert said.endswith(b"\n")
