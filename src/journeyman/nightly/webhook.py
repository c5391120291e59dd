"""Tell a webhook what came of a night: one POST of JSON, tried a few times.

Always holds: it never raises for what the other side does, and takes about a minute at most; what is sent holds names
of tenants, verdicts, hashes and numbers, and nothing that anybody said; the URL, which often is a secret itself, is
written nowhere.

Knows HTTP; nothing of nights.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from journeyman.errors import UsageError

WAITS = (1.0, 4.0, 10.0)  # seconds before the second try, the third, the fourth
TIMEOUT = 10.0  # seconds, of a try


class _Straight(urllib.request.HTTPRedirectHandler):
    """What is POSTed is not sent to wherever a redirect says: it counts as refused."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:  # noqa: ARG002
        return None


def checked(url: str) -> str:
    """The same; UsageError, which does not repeat it, if nothing can be POSTed there."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii() and url.isprintable()
        good = good and " " not in url and parts.username is None and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError("the webhook is no URL", "give one such as https://hooks.example/T0/B1")
    return url


def post(url: str, payload: Mapping[str, Any], waits: Sequence[float] = WAITS, timeout: float = TIMEOUT) -> str:
    """Why it was not delivered; "": it was."""
    failed = ["no answer in time"]
    # A thread, which is left behind: a server that sends a byte a second keeps within every timeout of a socket.
    worker = threading.Thread(target=_try, args=(url, payload, waits, timeout, failed), daemon=True)
    worker.start()
    worker.join(sum(waits) + timeout * (len(waits) + 1))
    return failed[-1]


def _try(url: str, payload: Mapping[str, Any], waits: Sequence[float], timeout: float, failed: list[str]) -> None:
    opener = urllib.request.build_opener(_Straight)
    headers = {"Content-Type": "application/json", "User-Agent": "journeyman"}
    for pause in (0.0, *waits):
        time.sleep(pause)
        request = urllib.request.Request(url, json.dumps(payload).encode(), headers, method="POST")
        try:
            with opener.open(request, timeout=timeout):
                failed.append("")
                return
        except urllib.error.HTTPError as error:
            error.close()
            failed.append(f"it answered {error.code}")
            if error.code < 500 and error.code not in (408, 425, 429):  # it will not think otherwise in a minute
                return
        except Exception as error:  # whatever a network and a server can do; its words may repeat the URL
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            failed.append(f"it could not be reached ({type(reason).__name__})")
