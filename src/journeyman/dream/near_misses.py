"""Near misses: questions of the shapes that lessons are asked in, about what nobody ever said.

A lesson must not fire on them. What the sessions prove about them is that they hold no answer, and so the student
learns to say that (`learn.quiet`). They are put together from everyday matters, and from the user's own things
with properties that hardly anybody mentions: "my espresso machine" alone must not call up its price.

Always holds: no near miss is made up of words that were all spoken of, and none about an everyday matter has half of
them; none is a probe of the evaluation; the same sessions and seed give the same near misses.

Knows words, not meaning: what was told in quite other words can be asked.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from journeyman.dream.verbs import lemma
from journeyman.dream.words import IRREGULAR, WORD, content
from journeyman.records import Situation

_PEOPLE = (
    "my uncle", "my nephew", "my plumber", "my tax advisor", "my piano teacher", "my old boss", "my roommate",
    "my tailor", "my twin", "my neighbor across the street", "my chess partner", "my vet", "my best friend",
    "my hiking buddy", "my first manager", "my babysitter", "my stepfather", "my barber",
)  # fmt: skip
_OF_PEOPLE = (
    "birthday", "phone number", "home town", "favorite dish", "email address", "job", "star sign", "last name",
    "wife's name", "dog's name", "age", "car", "address",
)  # fmt: skip
_MINE = (
    "bank account number", "high school mascot", "wedding date", "gym membership number", "insurance company",
    "shirt size", "parking spot", "boarding gate", "favorite painter", "voicemail greeting", "hotel in Rome",
    "golf handicap", "email signature", "favorite restaurant", "waist size", "jersey number",
    "frequent flyer number", "yearbook quote", "savings goal", "mortgage rate",
    "pension plan", "bus line", "ski pass", "alarm code", "tattoo", "resting heart rate", "chess rating",
    "polling place", "voice teacher", "choir", "driving instructor", "band's name", "favorite cheese",
    "eye color", "middle child", "wine merchant", "screen name", "podcast", "allotment",
)  # fmt: skip
_THINGS = (
    "boat", "piano", "van", "phone", "sofa", "tent", "guitar", "winter coat", "camera", "telescope", "kayak",
    "garden shed", "mattress", "wristwatch", "fish tank", "motorbike", "carpet", "caravan", "umbrella", "violin",
)  # fmt: skip
_OF_THINGS = (
    "the brand of {thing}", "the color of {thing}", "the price of {thing}", "the age of {thing}",
    "the serial number of {thing}", "the previous owner of {thing}", "the maker of {thing}",
)  # fmt: skip
# Of what the user did speak of: properties that are seldom mentioned.
_OF_TOLD_THINGS = (
    "the serial number of {thing}", "the previous owner of {thing}", "the inventory number of {thing}",
    "the patent behind {thing}", "the insurance policy for {thing}", "the nickname of {thing}",
    "the inspector of {thing}", "the customs code of {thing}",
)  # fmt: skip
_ASKING = (
    "What is {matter}?",
    "What was {matter}?",
    "Can you tell me {matter}?",
    "Do you remember {matter}?",
    "I forgot {matter}. What is it?",
    "Remind me, what is {matter}?",
    "What did I say about {matter}?",
    "Tell me {matter}.",
    "Which one is {matter}?",
)
_HAPPENED = (
    "How many keys did I hand to my neighbor?", "How much did I pay for my winter coat?",
    "How many guests did I invite to the barbecue?", "Where did I leave my umbrella?",
    "Where did I spend my honeymoon?", "Which shelf did I put the paint on?", "Who is my piano teacher?",
    "Which team do I support?", "What time did I tell the plumber to come?", "Who fixed my roof last summer?",
    "How many tickets did I buy for the concert?", "How old is my uncle?", "Which attic did I clear out?",
    "Where did I study law?", "Which marathon did I run?", "How many languages do I speak?",
    "Who lent me the ladder?", "Which lake did I swim in?", "When did I quit smoking?", "When does my lease end?",
    "How long was my surgery?", "How many chickens do I keep?", "What color did I paint the nursery?",
    "Which opera did I see in Vienna?", "Who painted the portrait in my hallway?", "How far is my cabin from the road?",
    "What did I name my sourdough starter?", "Which museum did I volunteer at?", "Where is my storage unit?",
    "How many kilometers did I cycle in the spring?", "Who officiated our ceremony?", "What did I order at the diner?",
    "Which gate did my ferry leave from?", "How many pages does my manuscript have?", "Where did I park the trailer?",
    "Which dialect did my grandmother speak?", "What kind of fence did I build?", "How deep is my pond?",
    "Which charity did I donate to at Easter?", "Who is the captain of my rowing club?", "When was my house built?",
    "How many acres is the orchard?", "What breed is my rabbit?", "Which planet did I photograph?",
    "What did I bake for the school fair?", "Where did I lose my earring?", "How much is my parking fine?",
    "Which composer did I write about?", "What kind of boots did I borrow?", "How many beehives do I own?",
    "Where do I keep the spare fuse?", "Who repaired my accordion?", "What is playing at my cinema tonight?",
    "Which summit did I climb with my twin?", "How many puppies were in the litter?", "What did the mechanic replace?",
)  # fmt: skip
SHARE_OF_TOLD_THINGS = 0.2


def near_misses(told: Iterable[str], seed: int, count: int = 120, things: Sequence[str] = ()) -> list[Situation]:
    """At most `count` questions that nothing in `told` (the user's turns) answers; `things` are what the user spoke of.

    The kinds of matter are mixed evenly, since a kind that is rare in training is the one that fires.
    """
    said = {word for text in told for word in WORD.findall(text)}
    words = {form for word in said for form in _forms(word)}
    rng = random.Random(seed)

    def unsaid(matters: Sequence[str], share: float = 0.5) -> list[str]:
        """Those of which less than `share` was spoken of, in a seeded order."""
        return [matter for matter in rng.sample(matters, len(matters)) if not _was_told(matter, words, share)]

    own = [f"my {thing}" for thing in things if len(thing.split()) <= 3]
    chosen = unsaid([of.format(thing=thing) for thing in own for of in _OF_TOLD_THINGS], 1.0)
    chosen = chosen[: round(SHARE_OF_TOLD_THINGS * count)]
    pools = [
        unsaid([f"{person}'s {trait}" for person in _PEOPLE for trait in _OF_PEOPLE]),
        unsaid([f"my {thing}" for thing in _MINE]),
        unsaid([of.format(thing=f"my {thing}") for thing in _THINGS for of in _OF_THINGS]),
        unsaid(_HAPPENED),
    ]
    while len(chosen) < count and any(pools):
        chosen += [pool.pop() for pool in pools if pool]
    return [Situation("unknown", _asked(matter, rng), origin="template") for matter in chosen[:count]]


def _asked(matter: str, rng: random.Random) -> str:
    return matter if matter.endswith("?") else rng.choice(_ASKING).format(matter=matter)


def _forms(word: str) -> set[str]:
    """A word as it was said and as it may be asked for: "handed" and "hand", "keys" and "key"."""
    said = word.lower().removesuffix("'s")
    one = said[:-3] + "y" if said.endswith("ies") else said.removesuffix("s")
    return {said, one, said.removesuffix("es"), lemma(said) if said in IRREGULAR or said.endswith("ed") else said}


def _was_told(matter: str, told: set[str], share: float) -> bool:
    """Whether `share` of what it is about, or more, was spoken of."""
    about = [word for word in content(matter) if word.lower() != "old"]
    return sum(bool(_forms(word) & told) for word in about) >= share * len(about)
