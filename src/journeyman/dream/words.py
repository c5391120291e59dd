"""Word lists: the function words, verbs, numbers, days and times by which statements are taken apart.

Always holds: pure look-ups on lower-cased words; nothing here reads more than one word or one line.

Knows English; in other languages nearly every word counts as content.
"""

from __future__ import annotations

import re

WORD = re.compile(r"[@$€£#]?\w+(?:[-'.,:/]\w+)*%?")
NUMBER_WORDS = frozenset(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen \
eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand".split()
)
FUNCTION_WORDS = frozenset(
    "due ain't asap can't shan't a about above across actually after again ago all almost already also although always \
am an and another any anyone anything anyway are around as at away back basically be because been before \
behind being below beside besides between beyond both but by can cannot come could currently definitely did do \
does doing done down during each either else enough especially essentially even ever every everyone everything \
excited far feel feels felt few figure figured first for from get gets getting give given glad go goes going \
gonna gone got gotten guess had happy has have having he hello help hence her here hers herself hey hi him \
himself his honestly hope hopefully how however i if in instead into is it its itself just keep kind know \
lately least less let like little lot lots love make makes making many may maybe me mean might mine more most \
much must my myself near need needs never new next nice no nor not nothing now of off often oh ok okay on once \
one ones only or other others our ours ourselves out over own per perhaps plain please plus pretty probably \
put quite rather ready really recently right said same saw say seem seems seen set several shall she should \
simply since so some someone something sometimes somewhat somewhere soon sort specifically still stuff such \
super sure take than thank thanks that the their theirs them themselves then there these they thing things \
think this those though thought through throughout thus till time to together told too toward towards tried \
truly try trying under unless until up upon us use used usually using very via want wanted was way we well \
went were what whatever when where whether which while who whole whom whose why will with within without won't \
wonder wondering would yeah yes yet you your yours yourself".split()
)
# Forms of irregular verbs -> the verb.
IRREGULAR: dict[str, str] = {
    pair.split(":")[0]: pair.split(":")[1]
    for pair in "bought:buy got:get saw:see had:have paid:pay went:go took:take made:make found:find told:tell \
chose:choose came:come left:leave sent:send gave:give kept:keep met:meet said:say read:read put:put cut:cut set:set \
lost:lose won:win wrote:write drove:drive broke:break began:begin built:build caught:catch ate:eat fell:fall \
felt:feel flew:fly forgot:forget grew:grow heard:hear held:hold hit:hit knew:know led:lead let:let meant:mean \
ran:run rode:ride sat:sit sold:sell slept:sleep spent:spend spoke:speak stood:stand swam:swim taught:teach \
thought:think threw:throw understood:understand woke:wake wore:wear did:do brought:bring became:become \
tossed:toss has:have does:do goes:go says:say".split()
}
# Verbs that begin a note as an order to oneself, and those that do so only before a determiner, a name or a number,
# because they are as often nouns ("water the plants", but "water bill due Friday").
VERBS = frozenset(
    "add apply arrange ask assemble attend bake bring buy cancel change choose clean collect compare complete confirm \
contact cook create declutter decide deliver discuss donate download eat enroll enter explain fetch fill find \
finalize finish fix fold follow gather get hang hire include inform install invite join keep learn mail make \
measure meet memorize mop move organize pack pay pick prep prepare prune reach read rearrange refill register \
remind remove renew reorder repaint repair replace reply reschedule research respond return scan schedule \
scrub sell send sign sort speak start stop submit sweep take talk teach tell throw tidy transfer trim try \
unpack unsubscribe update upload vacuum verify wash wipe wrap write".split()
)
NOUN_OR_VERB = frozenset(
    "back book brush call change charge check cut draft drop dust email exercise feed file help iron list mow note \
order paint pass phone plan plant play practice print quit record rent report reserve rest review run save \
search set ship shop show study swap test text track turn use visit walk watch water weed work".split()
)
_ADVERBS = frozenset(
    "ahead anymore apart earlier elsewhere forever forward later meanwhile overnight tonight twice whenever".split()
)
_LISTED_VERBS = frozenset("live enjoy hate prefer own reside".split())
_BEFORE_VERBS = frozenset("i we you they he she it to who and will would can could should must might may".split())
_ALSO_NO_VERB = frozenset("left lost broke cut set put read hit let led felt saw built caught fell ground".split())
_CONTRACTION = re.compile(r"(?:n't|'(?:s|m|re|ve|ll|d|t))$", re.IGNORECASE)
_DETERMINERS = frozenset("a an the my our your his her their its this that these those all some any every each".split())
_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?"
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_CLOCK = r"\d{1,2}(?::\d\d)?\s?(?:[ap]m|[AP]M|[ap]\.m\.?|[AP]\.M\.?|o'clock)(?!\w)|\d{1,2}:\d\d(?![\w:])"
_DAY_FIRST = rf"\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}(?!\w)"
_DATE = rf"{_MONTH} \d{{4}}(?!\w)|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?!\w)|{_DAY_FIRST}"
# "May" and "March" by themselves are months only after a word that puts them in time.
_BARE_MONTH = rf"(?!May\b|March\b){_MONTH}(?!\w)|(?<=\b[io]n )(?:May|March)(?!\w)|(?<=\bsince )(?:May|March)(?!\w)"
WHEN = re.compile(
    rf"(?<![\w$€£@#:.,/-])(?:(?P<time>{_CLOCK})|(?P<date>{_DATE})|(?P<day>{_DAY}(?!\w))|(?P<month>{_BARE_MONTH}))"
)
_HEADING = re.compile(r"([A-Z][\w'&/-]*(?: [\w'&/-]+){0,2}):\s+(?=\S)")
_IN_HEADINGS = frozenset(["time", "stuff", "things", "new", "next", "help", "back"])  # function words elsewhere
_NO_HEADING = frozenset(["question", "questions", "fact", "example", "update", "reminder", "ps"])


def is_function_word(word: str) -> bool:
    lowered = word.lower()
    return lowered in FUNCTION_WORDS or _CONTRACTION.sub("", lowered) in FUNCTION_WORDS


def content(text: str) -> list[str]:
    """The words of `text` that are no function words, in order."""
    return [word for word in WORD.findall(text) if not is_function_word(word)]


def when(text: str) -> str:
    """What kind of point in time `text` is as a whole: "time", "date", "day", "month", or "" for none."""
    if re.fullmatch("May|March", text):
        return "month"
    match = WHEN.fullmatch(text)
    return (match.lastgroup or "") if match else ""


def is_order(first: str, following: str) -> bool:
    """Whether a clause that begins with the word `first` tells somebody to do something."""
    lowered = first.lower()
    after = following.split(maxsplit=1)
    if lowered in VERBS:
        return not after or after[0].lower() not in ("of", "is", "was", "are", "were")
    return (
        lowered in NOUN_OR_VERB
        and bool(after)
        and (after[0].lower() in _DETERMINERS or after[0][0].isupper() or after[0][0].isdigit())
    )


def is_verb_or_adverb(word: str, previous: str = "") -> bool:
    """Whether a lone `word` after the word `previous` is a verb form or an adverb, so not what one asks for."""
    lowered = word.lower()
    stem = lowered.removesuffix("s")
    if len(lowered) > 4 and lowered.endswith("ed") and not lowered.endswith(("eed", "hundred")):
        return True
    if (
        lowered in IRREGULAR
        or lowered in VERBS
        or stem in VERBS
        or stem in _LISTED_VERBS
        or lowered == "works"
        or lowered in _ADVERBS
    ):
        return True
    return stem in NOUN_OR_VERB and previous.lower() in _BEFORE_VERBS


def is_past(word: str) -> bool:
    """Whether `word` is nothing but the past of an irregular verb ("met", unlike "left" and "cut")."""
    return word.lower() in IRREGULAR and word.lower() not in _ALSO_NO_VERB


def heading(text: str) -> str:
    """The heading with which a note begins, "Monday" of "Monday: ...": at most three words, no function words."""
    match = _HEADING.match(text)
    if not match:
        return ""
    words = match.group(1).lower().split()
    if any((is_function_word(word) and word not in _IN_HEADINGS) or word in _NO_HEADING for word in words):
        return ""
    return match.group(1) if words[0] not in ("help", "back", "things", "stuff") or len(words) == 1 else ""
