"""No password is shown, wherever in a URL it stands and whatever is in it."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.store import without_secrets

SECRETS = st.text(string.ascii_letters + string.digits + "@:/?#&=%+ é", min_size=6).map(lambda text: f"<{text}>")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("journeyman.db", "journeyman.db"),
        ("sqlite:////srv/a@b:c.db", "sqlite:////srv/a@b:c.db"),
        ("postgresql://ann:secret@host:5433/day?sslmode=require", "postgresql://ann@host:5433/day?sslmode=require"),
        ("postgres://host/day?password=secret&sslpassword=other", "postgres://host/day"),
        ("postgresql:///day?host=/run&pass%77ord=secret", "postgresql:///day?host=/run"),
        ("mysql://ann:secret@host/day", "mysql://ann@host/day"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@given(SECRETS)
def test_no_part_of_a_password_is_shown(secret: str) -> None:
    for written in (secret, quote(secret, safe="")):
        assert without_secrets(f"postgresql://ann:{written}@host/day") == "postgresql://ann@host/day"
    assert without_secrets(f"postgresql://host/day?password={quote(secret, safe='')}") == "postgresql://host/day"
