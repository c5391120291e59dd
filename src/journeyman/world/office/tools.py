"""All that an office assistant can do.

Always holds: a tool is in one list, and it is this one.

Knows where the tools live.
"""

from __future__ import annotations

from journeyman.world.office import calendar, files, mail, people

TOOLS = (
    people.whoami,
    people.find_people,
    calendar.list_rooms,
    calendar.list_events,
    calendar.get_event,
    calendar.create_event,
    calendar.move_event,
    calendar.set_room,
    calendar.cancel_event,
    calendar.invite,
    calendar.answer_invite,
    mail.search_mail,
    mail.read_mail,
    mail.send_mail,
    mail.reply_mail,
    mail.forward_mail,
    mail.archive_mail,
    files.list_files,
    files.read_file,
    files.create_file,
    files.append_to_file,
    files.move_file,
    files.share_file,
    files.unshare_file,
)
