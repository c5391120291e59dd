"""What is done to an environment, next to it: episodes alone, many at once, forked, restored, begun again.

Always holds: every episode is played on an instance of its own; what an environment raises becomes part of the trace;
each operation yields what it has as it goes, so that whoever stops listening keeps what was done.

Knows a target and scripts; which differences matter is for others to say. Runs within the environment's own
interpreter, and needs nothing but Python (3.10 or newer).
"""

from __future__ import annotations

import gc
import itertools
import random
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from journeyman.grind import inputs
from journeyman.grind.target import Episode, Target
from journeyman.grind.trace import Trace, canonical, difference, raised

Script = Mapping[str, Any]
"""{task, seed, actions} or {task, seed, policy, steps}: policy is "oracle" or "random", steps how many at most."""


class Workbench:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.oracles: dict[tuple[str, int], list[Any]] = {}

    @classmethod
    def named(cls, name: str) -> Workbench:
        from journeyman.grind.names import open_target

        return cls(open_target(name))

    # -- what there is

    def describe(self) -> Iterator[dict[str, Any]]:
        target = self.target
        episode = target.open()
        yield {
            "tasks": [str(task) for task in target.tasks],
            "oracle": target.oracle is not None,
            "top": target.top,
            "floor": target.floor,
            "style": target.style,
            "tools": [canonical(tool) for tool in target.tools],
            "says": target.says,
            "outside": dict(target.outside),
            "offers": [name for name in ("fork", "snapshot", "restore", "digest", "verdict") if episode.offers(name)],
            "samples": episode.offers("sample"),
        }
        episode.close()

    def oracle_of(self, items: Sequence[tuple[str, int]]) -> Iterator[dict[str, Any]]:
        """The oracle's actions where it is a list: {task, seed, actions}, actions None where it plays by policy."""
        for task, seed in items:
            try:
                found = self._oracle(task, seed)
                actions = None if callable(found) else found
            except Exception as error:  # the oracle's defect: whether it is the same elsewhere can be told all the same
                actions = {"raised": raised(error)}
            yield {"task": task, "seed": seed, "actions": actions}

    # -- one after the other

    def play(self, scripts: Sequence[Script], seconds: float) -> Iterator[Trace]:
        ends = time.monotonic() + seconds
        for script in scripts:
            yield self._played(script)
            if time.monotonic() > ends:
                return

    def judge(self, scripts: Sequence[Script], times: int, seconds: float) -> Iterator[dict[str, Any]]:
        """The verdict on a finished episode, asked for again and again: {verdicts}."""
        ends = time.monotonic() + seconds
        for script in scripts:
            episode = self.target.open()
            self._walk(episode, script)
            yield {"verdicts": [_verdict(episode) for _ in range(times)]}
            episode.close()
            if time.monotonic() > ends:
                return

    def restart(self, script: Script, times: int, seconds: float) -> Iterator[dict[str, Any]]:
        """The start of a task, from new instances and from one that has been used: {used, start}."""
        ends = time.monotonic() + seconds
        used = self.target.open()
        for number in range(times):
            new = self.target.open()
            yield {"used": False, "start": self._start(new, script)}
            new.close()
            if number:
                yield {"used": True, "start": self._start(used, script)}
            if time.monotonic() > ends:
                break
            self._walk(used, script)
        used.close()

    # -- many at once

    def interleave(self, scripts: Sequence[Script], order: int, seconds: float) -> Iterator[Trace]:
        """All begun before any goes on, then a step of one, a step of another, in an order that chance gives. Ends
        without a trace where the time is not enough for all."""
        ends = time.monotonic() + seconds
        chance = random.Random(order)
        players = []
        for script in scripts:
            players.append(_Player(self, script))
            if time.monotonic() > ends:
                return
        playing = list(players)
        chance.shuffle(playing)
        for player in playing:
            player.begin()
        while playing:
            chance.shuffle(playing)
            playing = [player for player in playing if player.go_on()]
            if time.monotonic() > ends:
                return
        for player in players:
            player.finish()
        yield from (player.trace for player in players)

    def together(self, scripts: Sequence[Script], seconds: float) -> Iterator[Trace]:
        """Each in a thread of its own, all at the same time, with threads that give way to each other very often."""
        traces: list[Trace | None] = [None] * len(scripts)
        ready = threading.Barrier(len(scripts))

        def play(number: int) -> None:
            with suppress(threading.BrokenBarrierError):
                ready.wait(seconds)
            traces[number] = self._played(scripts[number])

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        ends = time.monotonic() + seconds
        try:
            threads = [threading.Thread(target=play, args=(n,), daemon=True) for n in range(len(scripts))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(max(0.0, ends - time.monotonic()))
        finally:
            sys.setswitchinterval(before)
        yield from (trace for trace in list(traces) if trace is not None)

    # -- again from the middle

    def branch(self, script: Script, way: str, seconds: float) -> Iterator[dict[str, Any]]:
        """At each step: branch off in one of the ways fork, copy, restore and replay, and play on as recorded.

        Gives {step, ok, difference, who, seconds}: who is the branch, or the one it came from, which must not notice.
        """
        ends = time.monotonic() + seconds
        actions = list(script["actions"])
        recorded = self._played(script)
        parent = _Player(self, script)
        parent.begin()
        for step in range(len(recorded["steps"]) + 1):
            try:
                branch, took = self._branched(parent, way, step, actions)
            except Exception as error:
                yield {"step": step, "ok": False, "who": "branch", "raised": raised(error), "seconds": 0.0}
                return
            for who, trace in (("branch", branch), ("origin", parent.trace)):
                if parted := _parted(recorded, trace, whole=who == "branch"):
                    yield {"step": step, "ok": False, "who": who, "difference": parted, "seconds": took}
                    return
            yield {"step": step, "ok": True, "seconds": took}
            if time.monotonic() > ends or not parent.go_on():
                break
        if parted := _parted(recorded, parent.trace, whole=False):
            steps = len(parent.trace["steps"])
            yield {"step": steps, "ok": False, "who": "origin", "difference": parted, "seconds": 0.0}
        parent.finish()

    def _branched(self, parent: _Player, way: str, step: int, actions: list[Any]) -> tuple[Trace, float]:
        """The trace of a branch that was played to its end, and what making it took. Another branch has gone another
        way before, so that a state which both share shows."""
        astray = {**parent.script, "actions": list(reversed(actions[step:]))}
        began = time.perf_counter()
        snapshot = None
        if way == "restore":
            snapshot = parent.episode.snapshot()
            took = time.perf_counter() - began
            _Player(self, astray, parent.episode).run()
            parent.episode.restore(snapshot)
            branch = parent.again()
        elif way == "replay":
            aside = _Player(self, {**parent.script, "actions": actions[:step] + astray["actions"]})
            aside.begin()
            aside.run()
            aside.finish()
            began = time.perf_counter()
            branch = _Player(self, {**parent.script, "actions": actions})
            branch.begin()
            while len(branch.trace["steps"]) < step and branch.go_on():
                pass
            took = time.perf_counter() - began
        else:
            make = parent.episode.fork if way == "fork" else parent.episode.copy
            child = make()
            took = time.perf_counter() - began
            _Player(self, astray, make()).run()
            branch = parent.again(child)
        branch.run()
        branch.finish()
        if way == "restore":
            parent.episode.restore(snapshot)
        return branch.trace, took

    # -- how fast

    def speed(self, scripts: Sequence[Script], times: int, seconds: float) -> Iterator[dict[str, Any]]:
        """Episodes one after the other on one core, so many at most: {seconds, cpu, steps} of each."""
        ends = time.monotonic() + seconds
        gc.collect()
        for script in itertools.islice(itertools.cycle(scripts), times):
            began, cpu = time.perf_counter(), time.process_time()
            episode = self.target.open()
            steps = 0
            with suppress(Exception):  # what it raises, the recorded trace has
                episode.reset(script["seed"], script["task"])
                for action in script["actions"]:
                    steps += 1
                    if episode.step(action).done:
                        break
                episode.verdict()
            episode.close()
            yield {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "steps": steps}
            if time.monotonic() > ends:
                return

    def reads(self) -> Iterator[dict[str, Any]]:
        """What asked for the clock or for chance, most often first; only in surroundings that are watched."""
        yield {"reads": [what for what, _ in inputs.READS.most_common(5)]}

    # -- within

    def _oracle(self, task: str, seed: int) -> Any:
        """The actions, in the form that goes into a trace; or a policy, which is asked for anew: it may remember."""
        key = (task, seed)
        if key not in self.oracles:
            found = self.target.oracle(task, seed) if self.target.oracle else None
            if callable(found):
                return found
            self.oracles[key] = [self.target.encode(action) for action in found or []]
        return self.oracles[key]

    def _played(self, script: Script) -> Trace:
        player = _Player(self, script)
        player.begin()
        player.run()
        player.finish()
        return player.trace

    def _start(self, episode: Episode, script: Script) -> Any:
        inputs.begin()
        try:
            start = episode.reset(script["seed"], script["task"])
            return [canonical(start), episode.digest()]
        except Exception as error:
            return {"raised": raised(error)}

    def _walk(self, episode: Episode, script: Script) -> None:
        player = _Player(self, script, episode)
        player.begin()
        player.run()


class _Player:
    """One episode of one script, a step at a time."""

    def __init__(self, bench: Workbench, script: Script, episode: Episode | None = None) -> None:
        self.bench = bench
        self.script = script
        self.own = episode is None
        self.trace: Trace = {
            "task": script["task"],
            "seed": script["seed"],
            "start": None,
            "steps": [],
            "verdict": None,
            "error": None,
            "unsolved": None,
            "finished": False,
        }
        drawn = f"{script['task']}/{script['seed']}/{script.get('draw', 0)}"
        self.chance = random.Random(drawn.encode(errors="surrogatepass"))
        self.choose: Any = None
        self.seen: Any = None
        try:
            self.episode = bench.target.open() if episode is None else episode
        except Exception as error:
            self.trace["error"] = raised(error)

    def begin(self) -> None:
        if self.trace["error"]:
            return
        inputs.begin()
        try:
            self.seen = self.episode.reset(self.script["seed"], self.script["task"])
            self.trace["start"] = [canonical(self.seen), self.episode.digest()]
        except Exception as error:
            self.trace["error"] = raised(error)
            return
        if self.script.get("policy") != "oracle":
            return
        try:
            found = self.bench._oracle(self.script["task"], self.script["seed"])
            if callable(found):
                self.choose = found
                return
            actions = found
        except Exception as error:  # the oracle's defect, and none of the episode's
            self.trace["unsolved"] = raised(error)
            actions = []
        self.script = {**self.script, "actions": actions}

    def again(self, episode: Episode | None = None) -> _Player:
        """A player of the same script who stands where this one stands."""
        other = _Player(self.bench, self.script, episode or self.episode)
        other.trace = {**self.trace, "steps": list(self.trace["steps"])}
        return other

    def go_on(self) -> bool:
        """One step more; False when there is none."""
        at = len(self.trace["steps"])
        if self.trace["error"] or self.trace["finished"] or at >= self._most():
            return False
        try:
            action = self._action(at)
        except Exception as error:  # who is to choose has failed, not the episode
            self.trace["unsolved"] = raised(error)
            return False
        if action is None and "actions" not in self.script:
            return False
        try:
            step = self.episode.step(action)
            self.seen = step.observation
            seen, reward, done, state = canonical(self.seen), canonical(step.reward), step.done, self.episode.digest()
        except Exception as error:  # an episode that an action breaks ends with it
            self.trace["error"] = raised(error)
            seen, reward, done, state = None, 0.0, True, None
        self.trace["finished"] = done
        taken = {"action": action, "observation": seen, "reward": reward, "done": done, "state": state}
        self.trace["steps"].append(taken)
        return not done

    def run(self) -> None:
        while self.go_on():
            pass

    def finish(self) -> None:
        if hasattr(self, "episode"):
            self.trace["verdict"] = _verdict(self.episode)
            if self.own:
                self.episode.close()

    def _most(self) -> int:
        return len(self.script["actions"]) if "actions" in self.script else self.script["steps"]

    def _action(self, at: int) -> Any:
        if "actions" in self.script:
            return self.script["actions"][at]
        if self.choose:
            return self.bench.target.encode(self.choose(self.seen))
        return self.episode.sample(self.chance)


def _verdict(episode: Episode) -> Any:
    try:
        return canonical(episode.verdict())
    except Exception as error:
        return {"raised": raised(error)}


def _parted(recorded: Trace, trace: Trace, whole: bool) -> dict[str, Any] | None:
    """Where a trace parts from the recorded one; of one that is still being played, as far as it has come."""
    if not whole:
        open_end = {"verdict": None, "error": None, "finished": False}
        recorded = {**recorded, **open_end, "steps": recorded["steps"][: len(trace["steps"])]}
        trace = {**trace, **open_end}
    return difference(recorded, trace)
