"""Who may ask the gateway: secrets that are given out once, and kept as hashes.

Always holds: a store without keys belongs to whoever reaches it, and the gateway then listens on this machine only;
with keys, nobody without one is answered; a revoked key is refused within a second; no secret is kept or logged.

Knows keys and tenants; nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from journeyman.capture import names
from journeyman.capture.reading import Reading
from journeyman.errors import UsageError
from journeyman.records import KEY_ROLES, PURPOSES, TENANT_ROLES, Key, KeyRole, Purpose
from journeyman.store import Store

PREFIX = "jm_"
FRESH_SECONDS = 1.0  # how long what the store said of keys is believed


@dataclass(frozen=True)
class Holder:
    """Who asks: the tenant, what he may do, and what his sessions may be used for."""

    tenant: str = ""
    roles: tuple[KeyRole, ...] = KEY_ROLES
    purposes: tuple[Purpose, ...] = PURPOSES


def issue(
    store: Store, tenant: str, roles: Sequence[KeyRole] = TENANT_ROLES, purposes: Sequence[Purpose] = PURPOSES
) -> tuple[str, Key]:
    """A new secret, which is seen only here, and the key that is kept of it."""
    if not names.name("tenant", tenant):
        raise UsageError("the tenant has no name", "give one: journeyman keys add TENANT")
    secret = PREFIX + secrets.token_urlsafe(32)
    key = Key(_hash(secret), tenant, tuple(roles), tuple(purposes), datetime.now(UTC).isoformat(timespec="seconds"))
    store.add_key(key)
    return secret, key


def revoke(store: Store, beginning: str) -> Key:
    """Take a key out of force, by the beginning of its hash."""
    found = [key for key in store.all_keys() if key.hash.startswith(beginning) and not key.revoked_at]
    if len(found) != 1:
        what = "no key in force begins" if not found else f"{len(found)} keys begin"
        raise UsageError(f"{what} with {beginning!r}", "journeyman keys list")
    store.revoke_key(found[0].hash, datetime.now(UTC).isoformat(timespec="seconds"))
    return found[0]


@dataclass
class Doorkeeper:
    """Tells who asks, by what the store said when it was asked last. `keyed`: whether the store has keys; once it had
    one, it stays so, even if all are revoked."""

    store: Store
    _keys: dict[str, Key] = field(default_factory=dict)
    _read: float = 0.0
    _renewing: asyncio.Future[None] | None = None
    keyed: bool = False

    def __post_init__(self) -> None:
        self._refresh(self.store)

    def _refresh(self, store: Store) -> None:
        known = store.all_keys()
        self._keys = {key.hash: key for key in known if not key.revoked_at}
        self.keyed = bool(known)
        self._read = time.monotonic()

    async def renew(self, reading: Reading) -> bool:
        """Ask the store again, if it has not been asked lately. All who want to know wait for one answer; whether it is
        this one who asked."""
        if time.monotonic() - self._read <= FRESH_SECONDS:
            return False
        asks = self._renewing is None or self._renewing.done()
        if self._renewing is None or asks:
            self._renewing = asyncio.ensure_future(reading(self._refresh))
        await asyncio.shield(self._renewing)
        return asks

    def holder(self, authorization: str) -> Holder | None:
        """Of the key in an Authorization header; None: there is no such key in force, as far as is known here."""
        if not self.keyed:
            return Holder()
        # Looked up by its hash: how long that takes tells nothing of the secret.
        scheme, _, secret = authorization.strip().partition(" ")
        key = self._keys.get(_hash(secret.strip() if scheme.lower() == "bearer" else scheme))
        return Holder(key.tenant, key.roles, key.purposes) if key else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
