"""Every error a user can meet, as one tree.

Always holds: each error carries a *remedy*, one line that says what to do next; the faces (command line, web) print
``error: <what happened>`` and ``try: <remedy>`` and exit with ``exit_code``. Anything that is not in this tree and
still reaches a user is a defect of ours, not of theirs.

This module knows nothing of the rooms that raise these errors.
"""

from __future__ import annotations


class JourneymanError(Exception):
    """The root: something a user can understand and act on."""

    exit_code: int = 1

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(JourneymanError):
    """The request itself cannot be meant: unknown option value, a file that is not there, contradictory flags."""

    exit_code = 2


class InputError(JourneymanError):
    """Input was read and is not what it has to be: invalid JSON, no usable line, the wrong format."""


class StoreError(JourneymanError):
    """The store cannot be opened, is of a newer version, is in use by another night, or the disk is full."""


class UnknownError(StoreError):
    """Something is named that the store does not hold, or that is somebody else's."""


class RedactionError(JourneymanError):
    """What was to be kept could not be redacted. It says what kind of error that was, never its words."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"what was to be kept cannot be redacted ({kind})", "repair the hook that --redact names, or give default"
        )
        self.kind = kind


class ModelError(JourneymanError):
    """A model directory, name or download that cannot be used."""


class AdapterError(JourneymanError):
    """An adapter that is unknown, damaged, or made for another base model."""


class TrainingError(JourneymanError):
    """Training had to stop: a diverged loss, or no memory left."""


class WorldError(JourneymanError):
    """A world that cannot be used: its rules reach outside, a task pays for nothing, a file of it is damaged."""


class MissingExtraError(JourneymanError):
    """A part of Journeyman is needed that this installation was made without."""

    exit_code = 2


class Interrupted(JourneymanError):
    """The user pressed Ctrl-C (or the process was asked to end). What was committed stays."""

    exit_code = 1
