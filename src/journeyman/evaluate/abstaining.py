"""Whether a reply declines to answer: a list of English phrases.

Always holds: the same reply gets the same verdict, whoever wrote it; an empty reply declines.

Does not know: meaning. A reply that declines and then claims something anyway counts as declining; a lecture
that claims nothing about the user ("Blood types are A, B, AB and O") does not. So it is fit to compare the
replies of one model before and after, not to compare models.
"""

from __future__ import annotations

import re

_LONG_FORMS = {"can't": "can not", "cannot": "can not", "n't": " not", "i'm": "i am", "'ve": " have"}

_KNOW = (
    "know|have|recall|remember|find|see|tell|say|access|answer|determine|provide|told|given|sure|able|aware|certain"
    "|equipped"
)
_TELL = "tell|told|mention(?:ed)?|say|said|shared?|given?|gave|provided?|specify|clarify|remind|let"

_PHRASES = (
    # It does not know, or cannot.
    rf"i (?:\w+ )?(?:do|did|can|could|would|have|am|was) not (?:\w+ ){{0,2}}?(?:{_KNOW})",
    r"i am (?:\w+ ){0,2}?(?:unable|unsure|unaware|afraid)",
    r"i (?:have|had) no|i lack|unknown to me|no (?:information|record|mention|way)",
    r"(?:not|never) (?:\w+ ){0,2}?(?:tell|told|mention(?:ed)?|shared?|provided?|specified|stated|available)",
    # It excuses itself, or says what it is.
    r"sorry(?:,? but|[,.] i| for (?:any|the) (?:confusion|misunderstanding|inconvenience|mistakes?))",
    r"i apologi[sz]e|as an? (?:[\w-]+ ){0,3}?(?:ai|chatbot|assistant|language model)",
    r"(?:here|designed) to (?:help|assist)",
    # It asks the user.
    rf"(?:could|can|would|will) you (?:\w+ ){{0,2}}?(?:{_TELL})|please (?:\w+ )?(?:{_TELL})",
    rf"(?:if|unless|until) you (?:\w+ )?(?:{_TELL})|insert (?:your|the)",
)
_DECLINES = re.compile(rf"\b(?:{'|'.join(_PHRASES)})\b")


def abstains(reply: str) -> bool:
    """It says that it does not know or has no access, or it asks back."""
    text = " ".join(reply.replace("’", "'").casefold().split())
    for short, long in _LONG_FORMS.items():
        text = text.replace(short, long)
    return not text or text.endswith("?") or _DECLINES.search(text) is not None
