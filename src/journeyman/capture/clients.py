"""Who asks, as it may be kept: a mark, by which a client is known again and from which nobody can tell its credentials.

An Authorization header may be a password that can be guessed, so no plain hash of it is kept. The mark is made with a
key of the store's own, in a file beside the records and not among them: who has these alone cannot try a guess.

Always holds: the key is made once, is readable by this user alone, and is whole or not there.

Knows a folder; nothing of requests.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from journeyman.errors import StoreError

FILE = "clients.key"
_BYTES = 32


class Clients:
    """`folder`: the store's; call it only while holding the lock "serve", if the key may not be there yet."""

    def __init__(self, folder: Path) -> None:
        self._key = _key(folder / FILE)

    def mark(self, text: str) -> str:
        """16 hex digits (BLAKE2b with the store's key)."""
        return hashlib.blake2b(text.encode(errors="surrogatepass"), key=self._key, digest_size=8).hexdigest()


def _key(path: Path) -> bytes:
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", "give this user write access to the folder") from error
    if len(key) != _BYTES:
        raise StoreError(f"{path} is no key", "restore it, or remove it: clients are then known anew")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_BYTES))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
