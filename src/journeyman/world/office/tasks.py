"""The office's tasks: eighteen families.

Always holds: a family is in one list, and it is this one.

Knows where the families live.
"""

from __future__ import annotations

from collections.abc import Mapping

from journeyman.world.making import Family, build
from journeyman.world.office import calendar_tasks, paper_tasks
from journeyman.world.office.start import office
from journeyman.world.task import Task
from journeyman.world.world import Rules

FAMILIES: Mapping[str, Family] = {
    "move": calendar_tasks.move,
    "cancel-and-tell": calendar_tasks.cancel_and_tell,
    "schedule": calendar_tasks.schedule,
    "first-free": calendar_tasks.first_free,
    "clash": calendar_tasks.clash,
    "answer-from-file": paper_tasks.answer_from_file,
    "forward": paper_tasks.forward,
    "archive": paper_tasks.archive,
    "share-with-team": paper_tasks.share_with_team,
    "append": paper_tasks.append,
    "tidy": paper_tasks.tidy,
    "when-and-where": calendar_tasks.when_and_where,
    "how-much": paper_tasks.how_much,
    "minutes": paper_tasks.minutes,
    "bigger-room": calendar_tasks.bigger_room,
    "offboard": paper_tasks.offboard,
    "join": calendar_tasks.join,
    "talk": calendar_tasks.talk,
}


def tasks(rules: Rules, seed: int, count: int) -> list[Task]:
    return build(rules, FAMILIES, office, seed, count)
