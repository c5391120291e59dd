"""Tasks about the calendar.

Always holds: each has one right outcome, however it is worded and in whatever order it is done.

Knows the office's tables and tools' names.
"""

from __future__ import annotations

from journeyman.world.actions import Call, Say
from journeyman.world.making import Draft, Spec
from journeyman.world.office.plan import Plan
from journeyman.world.office.start import ME, PROJECTS
from journeyman.world.office.tables import ROOMS
from journeyman.world.saying import fact
from journeyman.world.user import Known, Script


def move(spec: Spec) -> Draft:
    plan = Plan(spec)
    event = plan.event(room=spec.one(ROOMS).id)
    plan.invited(event, *((person, "accepted") for person in plan.people))
    days, hour = spec.chance.between(1, 2), spec.chance.between(9, 16)
    text = spec.worded(
        "Move the {topic} to {day} at {hour}:00.",
        "The {topic} has to wait: please put it on {day}, {hour}:00, same length and room.",
        "Something came up. {day} at {hour}:00 would be better for the {topic}.",
        "Could you reschedule “{topic}”? New time: {day}, {hour}:00.",
        topic=event.title,
        day=plan.spoken(days),
        hour=f"{hour:02}",
    )
    return plan.draft(text, Call("move_event", {"event": event.id, "start": plan.at(hour, days=days)}))


def cancel_and_tell(spec: Spec) -> Draft:
    plan = Plan(spec)
    event = plan.event()
    first, second, third = plan.people
    plan.invited(event, (first, "accepted"), (second, "accepted"), (third, "declined"))
    reason = spec.chance.choice(("strike", "flood", "audit", "illness", "holiday"))
    text = spec.worded(
        "Cancel the {topic} and write one mail to everybody who had accepted. The reason is the {reason}; say so, and "
        "name the meeting in the subject.",
        "The {topic} is off because of the {reason}. Take it out and tell those who said yes, in a single mail with "
        "the meeting's name as its subject and the reason in it.",
        "No {topic} this time ({reason}). Cancel it; then one mail to all who accepted, subject “{topic}”, giving the "
        "reason.",
        topic=event.title,
        reason=reason,
    )
    mail = {
        "to": sorted((first.email, second.email)),
        "subject": f"Cancelled: {event.title}",
        "body": f"Unfortunately the {event.title} cannot take place because of the {reason}.",
    }
    return plan.draft(
        text,
        Call("cancel_event", {"event": event.id}),
        Call("send_mail", mail),
        wording={("mails", "subject"): (fact(event.title),), ("mails", "body"): (fact(reason),)},
    )


def schedule(spec: Spec) -> Draft:
    plan = Plan(spec, guests=spec.chance.between(3, 7))
    rooms = sorted(spec.rows(ROOMS), key=lambda row: row.seats)
    fitting = [room for room in rooms if room.seats > len(plan.people)]
    plan.event("board lunch", organizer=plan.people[0].id, room=fitting[0].id)
    names = ", ".join(person.name for person in plan.people)
    text = spec.worded(
        "Set up a “{topic}” on {day} from {hour}:00, {minutes} minutes, with {names}. Take the smallest room that is "
        "free and has a seat for each of us, me included.",
        "I need a meeting called “{topic}”: {names} and me, {day}, {hour}:00, for {minutes} minutes. Book the smallest "
        "free room that seats all of us.",
        "Please schedule “{topic}” ({minutes} minutes) for {day} at {hour}:00. Guests: {names}. Room: as small as "
        "possible, but free and with enough seats for them and me.",
        topic=plan.topic,
        day=plan.spoken(),
        hour=f"{plan.hour:02}",
        minutes=45,
        names=names,
    )
    args = {
        "title": plan.topic,
        "start": plan.at(plan.hour),
        "minutes": 45,
        "people": [person.id for person in plan.people],
        "room": fitting[1].id,
    }
    return plan.draft(text, Call("create_event", args))


def first_free(spec: Spec) -> Draft:
    plan = Plan(spec, guests=2)
    one, two = plan.people
    free = spec.chance.between(11, 15)
    for hour in range(9, free):
        plan.event(f"block {hour}", organizer=spec.chance.choice((one.id, two.id, ME)), hour=hour)
    plan.event("after that", organizer=two.id, hour=free + 1)
    text = spec.worded(
        "Find the first full hour on {day}, from 9:00 on, when {one}, {two} and I are all free, and book it with both "
        "of them as “{topic}”. One hour, no room.",
        "When on {day} (working day starts 9:00) can {one}, {two} and I first meet for an hour, on the hour? Put "
        "“{topic}” there and invite the two; we need no room.",
        "“{topic}”: {one}, {two} and me, one hour on {day}, as early as all three calendars allow (not before 9:00, "
        "starting on the hour). No room needed.",
        day=plan.spoken(),
        one=one.name,
        two=two.name,
        topic=plan.topic,
    )
    args = {"title": plan.topic, "start": plan.at(free), "minutes": 60, "people": sorted((one.id, two.id))}
    return plan.draft(text, Call("create_event", args))


def clash(spec: Spec) -> Draft:
    plan = Plan(spec)
    hours = spec.chance.sample(range(9, 17), 5)
    start = spec.chance.between(10, 13)
    declined: list[Call] = []
    for number, hour in enumerate(sorted(hours)):
        organizer = spec.chance.choice(plan.people)
        event = plan.event(f"{spec.chance.choice(PROJECTS)} session {number + 1}", organizer=organizer.id, hour=hour)
        plan.invited(event, (plan.me, "pending"))
        if start - 1 < hour < start + 3:
            declined.append(Call("answer_invite", {"event": event.id, "answer": "declined"}))
    if not declined:
        event = plan.event("extra session", organizer=plan.people[0].id, hour=start)
        plan.invited(event, (plan.me, "pending"))
        declined.append(Call("answer_invite", {"event": event.id, "answer": "declined"}))
    text = spec.worded(
        "I am on a flight on {day} from {start}:00 to {end}:00. Decline every invitation that overlaps with it; leave "
        "the others open.",
        "Dentist on {day}, {start}:00 until {end}:00. Please say no to whatever I am invited to then, and only that.",
        "Keep {day} {start}:00–{end}:00 clear for me: decline what I am invited to then. Nothing else changes.",
        day=plan.spoken(),
        start=start,
        end=start + 3,
    )
    return plan.draft(text, *declined)


def when_and_where(spec: Spec) -> Draft:
    plan = Plan(spec)
    rooms = spec.chance.sample(spec.rows(ROOMS), 2)
    event = plan.event(organizer=plan.people[0].id, room=rooms[0].id)
    plan.event("another one", organizer=plan.people[1].id, room=rooms[1].id, hour=plan.hour + 2)
    where = spec.turn % 2 == 0
    text = spec.worded(
        "In which room is the {topic}? Just its name.",
        "At what time does the {topic} begin on {day}? Answer with the time as HH:MM, nothing more.",
        "I forgot where the {topic} takes place. Tell me the room.",
        "Remind me: {day}, the {topic}, when exactly? Only the starting time, HH:MM.",
        topic=event.title,
        day=plan.spoken(),
    )
    times = [f"{hour:02}:{minute}" for hour in range(8, 20) for minute in ("00", "30", "45")]
    names = [room.id for room in spec.rows(ROOMS)]
    answer, wrong = (rooms[0].id, names) if where else (f"{plan.hour:02}:00", times)
    right = fact(answer, none_of=wrong)
    return plan.draft(text, Say(f"It is {answer}." if where else answer), say=(right,))


def bigger_room(spec: Spec) -> Draft:
    plan = Plan(spec, guests=spec.chance.between(5, 9))
    rooms = sorted(spec.rows(ROOMS), key=lambda row: row.seats)
    event = plan.event(room=rooms[0].id)
    plan.invited(event, *((person, "accepted") for person in plan.people))
    fitting = [room for room in rooms if room.seats > len(plan.people)]
    if spec.turn % 2:
        plan.event("choir", organizer=plan.people[0].id, room=fitting[0].id)
        fitting = fitting[1:]
    text = spec.worded(
        "The room of the {topic} is too small: all have accepted, and I come too. Move it into the smallest free room "
        "that seats us all.",
        "We won't fit into {room} for the {topic}. Take the smallest room free then that has a seat for every guest "
        "and for me.",
        "Find a better room for the {topic}, please: free then, a seat for each guest plus one for me, and no larger "
        "than it has to be.",
        topic=event.title,
        room=rooms[0].id,
    )
    return plan.draft(text, Call("set_room", {"event": event.id, "room": fitting[0].id}))


def join(spec: Spec) -> Draft:
    plan = Plan(spec)
    new, old = plan.people[:2]
    events = [plan.event(f"{plan.topic} part {n}", hour=9 + 2 * n) for n in range(1, spec.chance.between(3, 4))]
    for event in events:
        plan.invited(event, (old, "accepted"))
    plan.event(f"{plan.topic} dinner", organizer=old.id, hour=17)
    text = spec.worded(
        "{name} joins the project. Invite {name} to all parts of the {topic} on {day}.",
        "Please add {name} to every {topic} event that I organise on {day}.",
        "{name} should be at all my {topic} sessions ({day}). Send the invitations.",
        name=new.name,
        topic=plan.topic,
        day=plan.spoken(),
    )
    return plan.draft(text, *(Call("invite", {"event": event.id, "person": new.id}) for event in events))


def talk(spec: Spec) -> Draft:
    """What is missing from the request is told when asked for."""
    plan = Plan(spec)
    guest = plan.people[0]
    minutes = spec.chance.choice((25, 40, 50))
    knows = (
        Known(("when", "what time", "which day", "date", "time"), f"On {plan.spoken()} at {plan.hour:02}:00."),
        Known(("how long", "long", "minutes", "duration"), f"{minutes} minutes."),
        Known(("room", "where"), "No room, we'll talk on the phone."),
        Known(("title", "call it", "name", "about"), f"Just call it “{plan.topic}”."),
    )
    text = spec.worded(
        "I'd like to have a talk with {name}. Ask me for whatever you need to know, and repeat the hour at the end.",
        "Put something into the calendar for {name} and me, will you? I'll answer questions. Tell me the hour again.",
        "{name} and I should speak. Set it up, but check the details with me first, and confirm the time at the end.",
        name=guest.name,
    )
    args = {"title": plan.topic, "start": plan.at(plan.hour), "minutes": minutes, "people": [guest.id]}
    ask = Say("When shall it be, how long, in which room, and what shall I call it?")
    done = Say(f"It is in your calendar for {plan.hour:02}:00.")
    hour = fact(f"{plan.hour:02}:00", f"{plan.hour}:00", f"{plan.hour} o'clock", *_twelve_hours(plan.hour))
    # They want to be asked: whoever only guessed right has not done what they said.
    asked = (fact(*(f"{word}…" for word in knows[at].asked)) for at in (0, 1, 3))
    return plan.draft(text, ask, Call("create_event", args), done, user=Script(knows), say=(*asked, hour))


def _twelve_hours(hour: int) -> tuple[str, ...]:
    """3 pm, 3pm, 3:00 pm for 15."""
    number, half = (hour - 1) % 12 + 1, "pm" if hour >= 12 else "am"
    return tuple(f"{number}{minutes}{gap}{half}" for minutes in ("", ":00") for gap in (" ", ""))
