"""Things that must not be kept, made here: none of them is anybody's."""

from __future__ import annotations

import random
import string
from pathlib import Path

_RNG = random.Random(4711)


def _word(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RNG.choice(letters) for _ in range(length))


_BEGIN, _END = "-----BEGIN RSA PRIVATE KEY-----\n", "\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "AWS": "AKIA" + _word(16, string.ascii_uppercase + "234567"),
    "GitHub": "ghp_" + _word(36),
    "Slack": "xoxb-" + "-".join([_word(12, string.digits), _word(12, string.digits), _word(24)]),
    "Stripe": "sk_" + "live_" + _word(24),
    "ours": "jm_" + _word(43),
    "PEM": _BEGIN + "\n".join(_word(64) for _ in range(6)) + _END,
}
CARDS = {"spaced": "4111 1111 1111 1111", "dashed": "5500-0055-5555-5559", "plain": "378282246310005"}
MAILS = {"short": "bob@acme.io", "long": "ann.lee+orders@mail.acme.co.uk"}
PLANTED = {**SECRETS, **CARDS, **MAILS}
KINDS = {
    **dict.fromkeys(SECRETS.values(), "secret"),
    **dict.fromkeys(CARDS.values(), "card number"),
    **dict.fromkeys(MAILS.values(), "e-mail"),
}


def shows(text: str, planted: str) -> str:
    """A part of `planted` that `text` tells, eight characters long or all of it; "" if there is none."""
    planted = planted.removeprefix(_BEGIN).removesuffix(_END)  # all such blocks have these
    length = min(8, len(planted))
    windows = (planted[place : place + length] for place in range(len(planted) - length + 1))
    return next((part for part in windows if part in text), "")


def on_the_disk(store: Path) -> str:
    """All bytes of a store's files, what was deleted in them too."""
    files = sorted(each for each in store.parent.glob(f"{store.name}*") if each.is_file())
    return "\n".join(each.read_bytes().decode("latin-1") for each in files)
