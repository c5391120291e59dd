"""What was only named, made up: a document like those of its kind, frozen when the world is built.

A log names things that it never shows: an order in a customer's list that nobody looked up. Where that is wanted, such
a thing becomes what another of its kind is, under its own name, if there is one that is named by as many; and where
that one names what named it, this one names what names it. Who reads it is told so, with less trust (`Tier.FILLED`).

Always holds: what was seen is never changed; the same log fills the same; nothing is made up while the world runs.

Knows documents and states; nothing of tools.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from journeyman.dream.worlds.calls import leaves
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.rehearsal import settled
from journeyman.world.chance import Stream
from journeyman.world.context import Context
from journeyman.world.documents import UNSAID
from journeyman.world.outcome import Tier


def fill(induced: Induced) -> dict[str, int]:
    """Put them into the world's beginning; how many of each kind."""
    start = induced.start
    known: dict[str, dict[str, Any]] = {}
    empty: dict[str, list[str]] = {}
    for kind in induced.kinds.all:
        documents = induced.documents.get(kind)
        if documents is None:
            continue
        found = {key: documents.document(start.row(kind, key)) for key in sorted(start.keys(kind))}
        known[kind] = {key: held for key, held in found.items() if held is not None and UNSAID not in held}
        empty[kind] = [key for key, held in found.items() if held is None]
    names: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)  # who names a thing
    wanted = {(kind, key) for kind in known for key in (*known[kind], *empty[kind])}
    keys = {key for _, key in wanted}
    for kind, each in known.items():
        for key, document in each.items():
            for text in dict.fromkeys(leaves(document)):
                if text in keys and text != key:
                    for target in known:
                        if (target, text) in wanted:
                            names[target, text].append((kind, key))
    here, made = Context(start, True, Tier.FILLED), Counter[str]()
    for kind, absent in empty.items():
        for key in absent if known[kind] else ():
            named = Counter(by for by, _ in names[kind, key])
            alike = [each for each in known[kind] if Counter(by for by, _ in names[kind, each]) == named]
            like = Stream("filler", kind, key).choice(alike or sorted(known[kind]))
            swapped = {like: key}
            left = list(names[kind, key])
            for by, other in names[kind, like]:
                if (mine := next((each for each in left if each[0] == by), None)) is not None:
                    left.remove(mine)
                    swapped[other] = mine[1]
            document = settled(known[kind][like], swapped)
            here.put(induced.documents[kind].table, induced.documents[kind].row(key, document, Tier.FILLED))
            made[kind] += 1
    induced.start = here.result().as_start()
    induced.world.restore(induced.start)
    return dict(sorted(made.items()))
