"""Sessions -> an executable world: what the tools of one business do, induced from the calls that were recorded.

calls.py      sessions as calls, whoever wrote them down
kinds.py      which things a log speaks of, and by which keys
history.py    what was known at each call (initial state by inverse replay)
scope.py      what a tool can see from its arguments; terms.  conditions.py: what can be asked of it
refusals.py   when a tool refuses, in which words.  effects.py: what it changes and answers
program.py    what was induced of one tool, as Python.  rehearsal.py: tried out before there is a world
induction.py  all of that, for a whole log
book.py       the world as a Python file, to be read and corrected.  induced.py: rules and state of it
fidelity.py   how often it is right on sessions it has not seen.  admission.py: what may stay in it
units.py      pieces of work in the sessions.  reentry.py: the same for something else
grounds.py    how things stood in each session.  tasks.py: what there is to do in the world

Always holds: nothing here needs a model or torch; the same log gives the same world; what is not known abstains.

Knows nothing of any one business.
"""
