"""Tasks about mail and files.

Always holds: each has one right outcome; what free words must hold is said in the instruction or found in the files.

Knows the office's tables and tools' names.
"""

from __future__ import annotations

from journeyman.world.actions import Call, Say
from journeyman.world.making import Draft, Spec
from journeyman.world.office.plan import Plan
from journeyman.world.office.start import ME, PROJECTS, TEAMS
from journeyman.world.office.tables import FILES, PEOPLE, SHARES, Share
from journeyman.world.saying import fact


def answer_from_file(spec: Spec) -> Draft:
    plan = Plan(spec)
    sender = plan.people[0]
    project = spec.chance.choice(PROJECTS)
    what = spec.chance.choice(("travel", "licences", "hardware", "training"))
    costs = {name: 50 * spec.chance.between(10, 180) for name in ("travel", "licences", "hardware", "training")}
    while len(set(costs.values())) < 4:
        costs = {name: 50 * spec.chance.between(10, 180) for name in costs}
    plan.file(f"{plan.topic} budget.txt", "\n".join(f"{name}: {cost} euros" for name, cost in costs.items()), project)
    mail = plan.mail(sender, f"{plan.topic}: {what}?", f"Hi, how much did we set aside for {what}? Thanks!")
    text = spec.worded(
        "{name} has asked me by mail about money for the {topic}. The file “{topic} budget.txt” knows; answer the mail "
        "with the one amount that was asked for.",
        "Reply to {name}'s question about the {topic}. You'll find it in the budget file; give that one figure only.",
        "There's a mail from {name} about the {topic} budget. Look the amount up in our files and reply with it, not "
        "with the other amounts.",
        name=sender.name,
        topic=plan.topic,
    )
    right = fact(f"{costs[what]}", none_of=[f"{cost}" for name, cost in costs.items() if name != what])
    reply = Call("reply_mail", {"mail": mail.id, "body": f"Hello, we have {costs[what]} euros for {what}."})
    return plan.draft(
        text,
        reply,
        wording={("mails", "subject"): (fact(plan.topic),), ("mails", "body"): (right,)},
    )


def forward(spec: Spec) -> Draft:
    plan = Plan(spec)
    sender, target, other = plan.people
    mail = plan.mail(sender, f"{plan.topic}: final version", f"Please find the {plan.topic} attached, version 7.")
    plan.mail(other, f"{plan.topic}: first thoughts", "Some ideas, not final at all.")
    text = spec.worded(
        "Forward {sender}'s mail about the {topic} to {target}.",
        "{target} should see what {sender} sent me on the {topic}. Pass that mail on.",
        "Send the {topic} mail, the one from {sender}, on to {target}, please.",
        sender=sender.name,
        target=target.name,
        topic=plan.topic,
    )
    forward = Call("forward_mail", {"mail": mail.id, "to": [target.email]})
    facts = {("mails", "subject"): (fact(mail.subject),), ("mails", "body"): (fact("version 7"),)}
    return plan.draft(text, forward, wording=facts)


def archive(spec: Spec) -> Draft:
    plan = Plan(spec)
    sender = plan.people[0]
    count = spec.chance.between(2, 4)
    mails = [plan.mail(sender, f"{plan.topic} {n}", f"Part {n} of my report.") for n in range(1, count + 1)]
    plan.mail(plan.people[1], f"{plan.topic}: a question", "What do you think of it?")
    text = spec.worded(
        "Archive all mails from {name} about the {topic}. What others wrote on it stays in the inbox.",
        "My inbox: everything {name} sent on the {topic} can go to the archive, nothing else.",
        "Please clear away {name}'s {topic} mails (archive, not delete).",
        name=sender.name,
        topic=plan.topic,
    )
    return plan.draft(text, *(Call("archive_mail", {"mail": mail.id}) for mail in mails))


def share_with_team(spec: Spec) -> Draft:
    plan = Plan(spec)
    team = spec.chance.choice(TEAMS)
    right = spec.chance.choice(("read", "edit"))
    file = plan.file(f"{plan.topic}.txt", f"All about the {plan.topic}.")
    members = spec.rows(PEOPLE, lambda row: row.team == team and row.id != ME)
    text = spec.worded(
        "Everybody in {team} has to be able to {may} “{name}”. Give them that right, one by one.",
        "Share my file “{name}” with the whole {team} team, so that they can {may} it.",
        "{team} needs “{name}” ({may} rights for each of them, not for me, I own it).",
        team=team,
        may=right,
        name=file.name,
    )
    calls = (Call("share_file", {"file": file.id, "person": row.id, "right": right}) for row in members)
    return plan.draft(text, *calls)


def append(spec: Spec) -> Draft:
    plan = Plan(spec)
    file = plan.file(f"{plan.topic} actions.txt", f"Actions of the {plan.topic}\n- book the hall\n- print badges")
    line = f"{plan.people[0].name} orders {spec.chance.between(12, 90)} chairs"
    text = spec.worded(
        "Add a line to “{name}”: {line}",
        "“{line}”: please put that at the end of {name}, and leave the rest as it is.",
        "The file {name} is missing one action. Append: {line}",
        name=file.name,
        line=line,
    )
    kept = (fact(line, once=True), fact("book the hall"), fact("print badges"))
    call = Call("append_to_file", {"file": file.id, "line": f"- {line}"})
    return plan.draft(text, call, wording={("files", "text"): kept})


def tidy(spec: Spec) -> Draft:
    plan = Plan(spec)
    old = [
        plan.file(f"{plan.topic} draft {n}.txt", f"Draft {n}", "Drafts") for n in range(1, spec.chance.between(3, 4))
    ]
    plan.file(f"{plan.topic} final.txt", "The final text", "Drafts")
    text = spec.worded(
        "In the folder Drafts, move every {topic} draft to the folder {target}. The final version stays.",
        "Please tidy up: all “{topic} draft” files go from Drafts to {target}, but not the final one.",
        "Old {topic} drafts belong into {target}; they are in Drafts now. Leave “{topic} final.txt” where it is.",
        topic=plan.topic,
        target=(target := spec.chance.choice(("Attic", "Old drafts", "Storage"))),
    )
    return plan.draft(text, *(Call("move_file", {"file": file.id, "folder": target}) for file in old))


def how_much(spec: Spec) -> Draft:
    plan = Plan(spec)
    parts = spec.chance.sample(range(110, 990, 10), 3)
    names = ("catering", "hall", "print")
    text = "\n".join(f"{name}: {cost} euros" for name, cost in zip(names, parts, strict=True))
    plan.file(f"{plan.topic} costs.txt", text)
    total = sum(parts)
    asked = spec.worded(
        "What does the {topic} cost us in all? Our files have the parts; I want the sum in euros, just the number.",
        "Add up what “{topic} costs.txt” lists and give me the total, and no other figure.",
        "One number, please: the total cost of the {topic}, in euros.",
        topic=plan.topic,
    )
    right = fact(f"{total}", none_of=[f"{part}" for part in (*parts, parts[0] + parts[1], parts[1] + parts[2])])
    return plan.draft(asked, Say(f"{total} euros"), say=(right,))


def minutes(spec: Spec) -> Draft:
    plan = Plan(spec, guests=5)
    event = plan.event()
    yes, no = plan.people[:3], plan.people[3:]
    plan.invited(event, *((person, "accepted") for person in yes), *((person, "declined") for person in no))
    name, folder = f"{plan.topic} minutes.txt", spec.chance.choice(PROJECTS)
    text = spec.worded(
        "Create the file “{name}” in the folder {folder}, listing the full names of all who accepted the {topic}.",
        "Prepare minutes for the {topic}: a file “{name}” in {folder} that says who will be there (those who accepted, "
        "with first and last name).",
        "I need an attendance list. Put the names of everybody who said yes to the {topic} into a new file “{name}”, "
        "folder {folder}.",
        name=name,
        folder=folder,
        topic=event.title,
    )
    absent = [person.name for person in no]
    facts = tuple(fact(person.name, none_of=absent) for person in yes)
    args = {"folder": folder, "name": name, "text": "Present: " + ", ".join(person.name for person in yes)}
    return plan.draft(text, Call("create_file", args), wording={("files", "text"): facts})


def offboard(spec: Spec) -> Draft:
    plan = Plan(spec)
    leaver, stays = plan.people[:2]
    shared = spec.chance.sample(spec.rows(FILES, lambda row: row.owner == ME), 3)
    rights = (Share(f"{file.id}:{who.id}", file.id, who.id, "edit") for file in shared for who in (leaver, stays))
    plan.scene += [(SHARES, right) for right in rights]
    ids = {file.id for file in shared}
    more = spec.rows(SHARES, lambda row: row.person == leaver.id and row.file not in ids)
    mine = ids | {row.file for row in more if spec.row(FILES, row.file).owner == ME}
    text = spec.worded(
        "{name} leaves the company. Take away every right {name} has to files of mine.",
        "Please make sure that {name} can no longer see any file that I own.",
        "Access review: {name} must not have access to my files any more. Nobody else loses anything.",
        name=leaver.name,
    )
    return plan.draft(text, *(Call("unshare_file", {"file": file, "person": leaver.id}) for file in sorted(mine)))
