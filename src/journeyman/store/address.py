"""What names a store: the path of a file, or the URL of a database.

Always holds: what is shown of a URL holds no password; whatever may be a part of one is left out.

Does not open anything.
"""

from __future__ import annotations

import re

POSTGRES = ("postgresql://", "postgres://")
_HARMLESS = {"host", "hostaddr", "port", "dbname", "user", "service", "sslmode"}


def without_secrets(url: str) -> str:
    """The same, as it can be printed, and be given again where the password is known from elsewhere."""
    scheme, found, rest = url.partition("://")
    if not found or scheme == "sqlite":
        return url
    login, at, place = rest.rpartition("@")
    user = re.split("[:/?]", login)[0]
    place, _, query = place.partition("?")
    shown = "&".join(part for part in query.split("&") if part.partition("=")[0] in _HARMLESS)
    return f"{scheme}://{user}{at}{place}" + (f"?{shown}" if shown else "")
