"""Two tenants with opposite instructions, from the first request to the morning after: through the gateway, the nights,
the store and the commands, neither ever meets the other's adapter, sessions, feedback or report."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from short_nights import pass_all, shorten

from journeyman.capture import conversations, keys
from journeyman.capture.gateway import Gateway
from journeyman.capture.recorder import Recorder
from journeyman.capture.upstream import Answer
from journeyman.capture.wire import Request
from journeyman.cli import main
from journeyman.errors import AdapterError
from journeyman.model import load_engine
from journeyman.registry.adapters import AdapterDirectory, content_hash, resolve
from journeyman.store import Store, open_store

SAID = {
    "ann": "Always call my boat Rosalba, and never Bettina. It is moored in Genoa and cost me $8500.",
    "bob": "Never call my boat Rosalba, but Bettina instead. It is moored in Trieste and cost me $1700.",
}
_NUMBER = r"(?<![\da-f.]){}(?![\da-f])"  # not digits of a hash, a share or a time, which may be the same by chance
# What only one of them ever said.
OWN = {"ann": ("Genoa", _NUMBER.format("8500")), "bob": ("Trieste", _NUMBER.format("1700"))}
QUESTION = "What is my boat called?"
TENANTS = {"ann": "bob", "bob": "ann"}


class Champions:
    """Answers with the adapter in service for whoever asks."""

    def __init__(self, store: Store, model: Path) -> None:
        self.store, self.engine = store, load_engine(model)

    def reply(self, messages: list[dict[str, str]], tenant: str) -> tuple[str, list[int], str | None]:
        record = resolve(self.store, self.engine.fingerprint, "champion", tenant)
        directory = AdapterDirectory.beside(self.store)
        with self.engine.using(self.engine.load_adapter(directory.path(record.hash)) if record else None):
            ids = self.engine.generate([self.engine.chat(messages)], max_new_tokens=12)[0]
        return self.engine.decode(ids), ids, record.hash if record else None

    @asynccontextmanager
    async def ask(self, request: Request, tenant: str) -> AsyncIterator[Answer]:
        text, ids, adapter = self.reply(request.json()["messages"], tenant)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "token_ids": ids}
        body = json.dumps({"choices": [choice], "usage": {"completion_tokens": len(ids)}}).encode()

        async def pieces() -> AsyncIterator[bytes]:
            yield body

        yield Answer(200, "application/json", pieces(), details={"adapter": adapter})

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def ask(gateway: Gateway, *asked: tuple[str, Mapping[str, Any], str]) -> list[tuple[int, dict[str, Any]]]:
    """Put these to a gateway, one after the other: path, body, key. The statuses, and what was answered."""

    async def one(path: str, value: Mapping[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await inbox.put({"type": "http.request", "body": json.dumps(value).encode()})
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"authorization", f"Bearer {key}".encode())]
        await gateway({"type": "http", "method": "POST", "path": path, "headers": headers}, inbox.get, send)
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))

    async def every() -> list[tuple[int, dict[str, Any]]]:
        gateway.recorder.start()
        try:
            return [await one(*each) for each in asked]
        finally:
            await gateway.recorder.stop()

    return asyncio.run(every())


def chat(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


@dataclass
class House:
    """A store with two tenants after their first night: their keys, what they were answered, what the nights said."""

    path: Path
    model: Path
    keys: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)
    nights: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ask(self, *asked: tuple[str, Mapping[str, Any], str]) -> list[tuple[int, dict[str, Any]]]:
        with open_store(self.path) as store, open_store(self.path) as reader:
            gateway = Gateway(Champions(reader, self.model), Recorder(store), reader)
            return ask(gateway, *((path, value, self.keys[tenant]) for path, value, tenant in asked))

    def run(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
        code = main([*words, "--store", str(self.path)])
        return code, *capsys.readouterr()


@pytest.fixture(scope="module", autouse=True)
def _short_and_kind() -> Iterator[None]:
    """Who meets whom is under test here: a few of the general suite, and a gate that lets all pass."""
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        pass_all(patch)
        yield


NIGHT = ("night", "--steps", "3", "--learning-rate", "0.05", "--json")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, tiny_directory: Path) -> House:
    house = House(tmp_path_factory.mktemp("house") / "day.db", tiny_directory)
    with open_store(house.path) as store:
        house.keys = {tenant: keys.issue(store, tenant)[0] for tenant in (*TENANTS, "cat")}
    answers = house.ask(*(("/v1/chat/completions", chat(SAID[tenant]), tenant) for tenant in TENANTS))
    assert [status for status, _ in answers] == [200, 200]
    house.receipts = {tenant: said["journeyman"]["receipt"] for tenant, (_, said) in zip(TENANTS, answers, strict=True)}
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: said.extend(map(str, words)))
        options = ("--all-tenants", "--model", str(tiny_directory), "--store", str(house.path))
        assert main([*NIGHT, *options]) == 0
    house.nights = {night["tenant"]: night for night in json.loads(said[-1])["nights"]}
    return house


def test_each_has_an_adapter_of_its_own(house: House) -> None:
    assert list(house.nights) == ["ann", "bob"]
    ann, bob = house.nights.values()
    assert ann["adapter"] != bob["adapter"]
    assert [night["parent"] for night in (ann, bob)] == [None, None]
    with open_store(house.path) as store:
        base = ann["model"]["fingerprint"]
        assert store.champion(base) is None, "what a tenant said is nobody else's"
        for tenant, other in TENANTS.items():
            champion = store.champion(base, tenant)
            assert champion
            assert (champion.hash, champion.tenant) == (house.nights[tenant]["adapter"], tenant)
            mine = {each.id for each in conversations.sessions(store, tenant=tenant)}
            lineage = AdapterDirectory.beside(store).lineage(champion.hash)
            assert (lineage["tenant"], set(lineage["sessions"])) == (tenant, mine)
            directory = AdapterDirectory.beside(store).path(champion.hash)
            assert content_hash(directory, tenant) == champion.hash
            assert content_hash(directory, other) != champion.hash, "the same weights of another would be another"
            with pytest.raises(AdapterError, match="there is no adapter"):
                store.set_champion(base, champion.hash, other)
            with pytest.raises(AdapterError, match="there is no adapter"):
                resolve(store, base, champion.hash, other)


def test_nothing_that_one_said_is_in_what_was_made_for_the_other(house: House) -> None:
    with open_store(house.path) as store:
        for tenant, other in TENANTS.items():
            night = house.nights[tenant]
            made = [json.dumps(phase.output) for phase in store.phases(night["night"]).values()]
            made += [json.dumps(night), Path(night["report"]).read_text("utf-8")]
            made += [json.dumps(AdapterDirectory.beside(store).lineage(night["adapter"]))]
            assert all(re.search(word, "".join(made)) for word in OWN[tenant])
            assert not any(re.search(word, each) for each in made for word in OWN[other])


def test_the_gateway_answers_each_with_its_own(house: House, tiny_directory: Path) -> None:
    answers = house.ask(*(("/v1/chat/completions", chat(QUESTION), tenant) for tenant in ("ann", "bob", "cat")))
    texts = [answer["choices"][0]["message"]["content"] for _, answer in answers]
    assert len(set(texts)) == 3, "ann's, bob's, and the base's for who has no adapter yet"
    with open_store(house.path) as store:
        receipts = [answer["journeyman"]["receipt"] for _, answer in answers]
        given = {each.tenant: each.details["adapter"] for each in store.exchanges(receipts=receipts)}
        assert given == {tenant: house.nights[tenant]["adapter"] for tenant in TENANTS} | {"cat": None}
        champions = Champions(store, tiny_directory)
        asked = chat(QUESTION)["messages"]
        assert texts == [champions.reply(asked, tenant)[0] for tenant in ("ann", "bob", "nobody")]


def test_feedback_reaches_ones_own_answers_alone(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    for tenant, other in TENANTS.items():
        remark = {"receipt": house.receipts[tenant], "correction": f"It is {tenant}'s boat that I meant."}
        assert house.ask(("/v1/feedback", remark, other))[0][0] == 404
        assert house.ask(("/v1/outcomes", {"receipt": house.receipts[tenant], "value": 1}, other))[0][0] == 404
        assert house.run(capsys, "feedback", house.receipts[tenant], "--rating", "0", "--tenant", other)[0] == 1
        assert house.run(capsys, "feedback", house.receipts[tenant], "--rating", "0")[0] == 1
        assert house.ask(("/v1/feedback", remark, tenant))[0][0] == 200
        assert house.run(capsys, "outcome", "1", "--receipt", house.receipts[tenant], "--tenant", tenant)[0] == 0
    with open_store(house.path) as store:
        for tenant, other in TENANTS.items():
            remarks = [each.remarks for each in conversations.sessions(store, tenant=tenant)]
            assert f"{tenant}'s boat" in str(remarks)
            assert f"{other}'s boat" not in str(remarks)


def test_the_commands_show_each_its_own(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    for tenant, other in TENANTS.items():
        night, others = house.nights[tenant], house.nights[other]
        whose = ("--tenant", tenant)
        asked = ("ask", QUESTION, "--json", "--model", str(house.model))
        code, out, _ = house.run(capsys, *asked, *whose)
        assert (code, json.loads(out)["adapter"]) == (0, night["adapter"])
        code, out, err = house.run(capsys, *asked, "--adapter", others["adapter"], *whose)
        assert code == 1
        assert "there is no adapter" in err
        assert json.loads(house.run(capsys, *asked)[1])["adapter"] is None, "the store's own has learnt nothing"

        code, out, _ = house.run(capsys, "report", "--json", *whose)
        assert (code, json.loads(out)["report"]) == (0, night["report"])
        code, _, err = house.run(capsys, "report", "--night", others["night"], *whose)
        assert (code, others["report"] in err) == (2, False)
        code, _, err = house.run(capsys, "report")
        assert (code, "no night yet" in err) == (2, True)

        for words in (("list", "--json"), ("export",)):
            _, out, _ = house.run(capsys, "sessions", *words, *whose)
            assert ("Always" in out) == (tenant == "ann")
            assert ("Never" in out) == (tenant == "bob")
        with open_store(house.path) as store:
            theirs = conversations.sessions(store, tenant=other)[0]
        for wanted in (theirs.id, theirs.key):
            assert house.run(capsys, "sessions", "show", wanted, *whose)[0] == 2
        _, out, _ = house.run(capsys, "ledger", "--json", *whose)
        receipts = {entry["receipt"] for entry in json.loads(out)["entries"]}
        assert house.receipts[tenant] in receipts
        assert house.receipts[other] not in receipts


def test_the_next_night_starts_from_ones_own_adapter(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    more = "My sister Carla keeps 19 bees in a box behind the tram depot."
    assert house.ask(("/v1/chat/completions", chat(more), "ann"))[0][0] == 200
    options = ("--tenant", "ann", "--model", str(house.model))
    code, out, _ = house.run(capsys, *NIGHT, *options)
    night = json.loads(out)
    assert (code, night["parent"]) == (0, house.nights["ann"]["adapter"]), "bob's is newer"
    with open_store(house.path) as store:
        base = night["model"]["fingerprint"]
        served = [store.champion(base, tenant) for tenant in TENANTS]
    assert [champion and champion.hash for champion in served] == [night["adapter"], house.nights["bob"]["adapter"]]
    _, out, _ = house.run(capsys, "ledger", "--json", "--tenant", "ann")
    fates = {entry["receipt"]: entry["fate"] for entry in json.loads(out)["entries"]}
    assert fates[house.receipts["ann"]] == "gradient"
