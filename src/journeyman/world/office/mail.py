"""Mail: what came in, what goes out.

Always holds: mail goes to addresses that exist; what was sent stays as it was sent.

Knows the office's tables and people.
"""

from __future__ import annotations

from typing import Annotated

from journeyman.world.context import Context
from journeyman.world.office.people import Found, PersonId, Text, me, written
from journeyman.world.office.tables import MAILS, PEOPLE, Mail, Place
from journeyman.world.outcome import Invalid, NotFound, Refused
from journeyman.world.tools import read, write

MailId = Annotated[str, MAILS]


@read
def search_mail(here: Context, words: str = "", sender: PersonId | None = None, folder: Place = "inbox") -> list[Found]:
    """Mails of a folder without their text: those with words in subject or text, from one sender, or both.

    Args:
        words: all of them stand in the subject or the text
        sender: a person's id
        folder: where to look
    """
    wanted = words.casefold().split()
    found: list[Found] = []
    for row in here.find(MAILS, folder=folder):
        text = f"{row.subject}\n{row.body}".casefold()
        if (sender is None or row.sender == sender) and all(word in text for word in wanted):
            found.append({"id": row.id, "sender": row.sender, "subject": row.subject, "sent": row.sent})
    return found


@read
def read_mail(here: Context, mail: MailId) -> Found:
    """A mail.

    Args:
        mail: the mail's id, as in M-31
    """
    return here.get(MAILS, mail)._asdict()


@write
def send_mail(here: Context, to: list[str], subject: Text, body: Text) -> Found:
    """Write a mail.

    Args:
        to: e-mail addresses
        subject: what it is about
        body: the text
    """
    return _send(here, to, subject, body, None)._asdict()


@write
def reply_mail(here: Context, mail: MailId, body: Text) -> Found:
    """Answer the sender of a mail.

    Args:
        mail: the mail's id
        body: the text
    """
    found = here.get(MAILS, mail)
    sender = here.get(PEOPLE, found.sender)
    return _send(here, [sender.email], f"Re: {found.subject}", body, mail)._asdict()


@write
def forward_mail(here: Context, mail: MailId, to: list[str]) -> Found:
    """Send a mail on as it is.

    Args:
        mail: the mail's id
        to: e-mail addresses
    """
    found = here.get(MAILS, mail)
    return _send(here, to, f"Fwd: {found.subject}", found.body, mail)._asdict()


@write
def archive_mail(here: Context, mail: MailId) -> Found:
    """Move a mail from the inbox to the archive.

    Args:
        mail: the mail's id
    """
    found = here.get(MAILS, mail)
    if found.folder != "inbox":
        raise Refused(f"{mail} is in {found.folder}")
    here.put(MAILS, found._replace(folder="archive"))
    return {"id": mail, "folder": "archive"}


def _send(here: Context, to: list[str], subject: str, body: str, answers: str | None) -> Mail:
    addresses = tuple(sorted(dict.fromkeys(each.strip().lower() for each in to)))
    if not addresses:
        raise Invalid("a mail goes to somebody")
    for address in addresses:
        if not here.find(PEOPLE, email=address):
            raise NotFound(f"nobody here has the address {address}")
    sent = written(here.now)
    return here.add(MAILS, Mail(here.new_id("M"), "sent", me(here), addresses, subject, body, sent, answers))
