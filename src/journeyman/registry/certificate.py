"""Certificates: what was erased, signed with the store's own key, so that anybody can check it with the public one.

Always holds: what is signed is the certificate as canonical JSON (keys in order, no spaces, ASCII), by Ed25519
(RFC 8032); the key lies beside the store, readable for its owner only, and is made once; each certificate names the
hash of the one before it, so that none can be left out of their row unseen.

Knows nothing of what a certificate says. Needs cryptography.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from journeyman.errors import InputError, StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = "erasure-key.pem"


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """The store's own, made if there is none."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder / KEY
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = Ed25519PrivateKey.generate()
        text = made.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        with NamedTemporaryFile(dir=folder, prefix=".new-") as scratch:  # readable for its owner only
            scratch.write(text)
            scratch.flush()
            os.fsync(scratch.fileno())
            with suppress(FileExistsError):  # another process was first: that one's is the key
                os.link(scratch.name, path)
    try:
        key = form.load_pem_private_key(path.read_bytes(), None)
    except ValueError as error:
        raise StoreError(
            f"{path} holds no key", "put it back from a backup, or remove it to begin a new one"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError(f"{path} holds a key of another kind", "put it back from a backup, or remove it")
    return key


def sign(body: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """`{"certificate": body, "public_key": hex, "signature": base64}`"""
    public = key.public_key().public_bytes_raw().hex()
    return {
        "certificate": dict(body),
        "public_key": public,
        "signature": base64.b64encode(key.sign(canonical(body))).decode(),
    }


def check(text: str, public_key: str = "") -> dict[str, Any]:
    """What a signed certificate says; InputError if it is none, or not as it was signed, or (`public_key`: its first
    hex digits, 16 at least) not signed by whom it should be."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        signed = json.loads(text)
        body, public = signed["certificate"], signed["public_key"]
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        signature = base64.b64decode(signed["signature"], validate=True)
        said = canonical(body)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("this is no certificate of an erasure", "give the file that journeyman erase wrote") from error
    try:
        key.verify(signature, said)
    except InvalidSignature as error:
        raise InputError(
            "the certificate is not what was signed: somebody changed it", "ask whoever gave it for the original"
        ) from error
    if public_key and (len(public_key) < 16 or not public.startswith(public_key.lower())):
        raise InputError(
            f"the certificate was signed with the key {public}, not with {public_key}",
            "ask whoever runs the store for their public key, and for at least 16 digits of it",
        )
    return body


def canonical(body: object) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest(signed: Mapping[str, Any]) -> str:
    """By which the next certificate names this one."""
    return hashlib.sha256(canonical(signed)).hexdigest()
