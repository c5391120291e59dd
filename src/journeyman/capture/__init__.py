"""The day: how conversations come in.

Always holds: a conversation that cannot be kept is named, with its place and the reason, and never just
dropped.

Knows nothing of what is learned from them.
"""

from journeyman.capture.files import FileReport, ImportReport, Refusal, check_files, import_files, read_sessions
from journeyman.capture.logs import FORMATS, Format

__all__ = [
    "FORMATS",
    "FileReport",
    "Format",
    "ImportReport",
    "Refusal",
    "check_files",
    "import_files",
    "read_sessions",
]
