"""A webhook is told, or it is not, and says why; it takes no longer than it may, and fails nothing."""

from __future__ import annotations

import socket
import time

import pytest
from listener import listening

from journeyman.errors import UsageError
from journeyman.nightly import webhook

LINE = {"event": "journeyman.nightly", "text": "night of today: ann: PROMOTE"}
QUICK = (0.01, 0.01, 0.01)


def test_it_is_told_once() -> None:
    with listening() as there:
        assert webhook.post(there.url, LINE) == ""
        assert there.heard == [LINE]
        assert there.headers[0]["Content-Type"] == "application/json"


def test_it_is_tried_again_where_that_may_help() -> None:
    with listening([503, 429]) as there:
        assert webhook.post(there.url, LINE, QUICK) == ""
        assert there.heard == [LINE] * 3
    with listening([500] * 9) as there:
        assert webhook.post(there.url, LINE, QUICK) == "it answered 500"
        assert len(there.heard) == 4


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_it_is_not_tried_again_where_it_would_not(status: int) -> None:
    with listening([status]) as there:
        assert webhook.post(there.url, LINE, QUICK) == f"it answered {status}"
        assert len(there.heard) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_goes_where_a_redirect_leads(status: int) -> None:
    with listening() as other, listening([status], location=other.url) as there:
        assert webhook.post(there.url, LINE, QUICK) == f"it answered {status}"
        assert other.heard == []


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert webhook.post(f"http://127.0.0.1:{port}/s3cret", LINE, QUICK) == (
        "it could not be reached (ConnectionRefusedError)"
    )


@pytest.mark.parametrize("drip", [False, True])
def test_a_server_that_does_not_end_is_left(drip: bool) -> None:
    before = time.monotonic()
    if drip:
        with listening(drip=True) as there:
            said = webhook.post(there.url, LINE, (), timeout=0.2)
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            said = webhook.post(f"http://127.0.0.1:{server.getsockname()[1]}/s3cret", LINE, (), timeout=0.2)
    assert said
    assert "s3cret" not in said
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example",
        "ftp://hooks.example/s3cret",
        "https:///s3cret",
        "https://ann:s3cret@hooks.example",
        "https://hooks.example:port/s3cret",
        "https://hooks.example/s3cret more",
        "https://hooks.example/s3cret\nHost: other",
        "https://[::1/s3cret",
    ],
)
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        webhook.checked(url)
    assert "s3cret" not in f"{refused.value.message} {refused.value.remedy}"


def test_what_is_one_is_let_through() -> None:
    for url in ("https://hooks.example/T0/B1?key=1", "http://localhost:8080", "http://[::1]:80/x"):
        assert webhook.checked(url) == url
