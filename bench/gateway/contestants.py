"""Who is measured: how each is installed and started, and how to see what it has kept.

Always holds: each runs as its own documentation says, one worker process, in front of the same engine, over a fresh
store in a folder of its own; all traffic stays on this machine.

Knows the contestants; not what is measured.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODES = ("plain", "burst", "paced")
LITELLM = "litellm[proxy]==1.106.2"  # the newest whose requirements the index meets; 1.107.0 was withdrawn
RLLM = "rllm-model-gateway==0.1.0"
# A custom callback, as LiteLLM's documentation describes them: without a database it keeps nothing by itself.
_CALLBACK = """
import json
from litellm.integrations.custom_logger import CustomLogger

class Keep(CustomLogger):
    def __init__(self):
        self.file = open("kept.jsonl", "a")

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        value = {"messages": kwargs["messages"], "response": response_obj.model_dump()}
        self.file.write(json.dumps(value, default=str) + "\\n")
        self.file.flush()

keep = Keep()
"""


@dataclass(frozen=True)
class Contestant:
    """name: as it is printed; what: how it keeps what it answers; package: what is installed for it, "" for us."""

    name: str
    what: str
    package: str = ""
    keeps: bool = True

    def python(self, environments: Path) -> Path:
        """Its Python; the environment is made if it is not there."""
        if not self.package:
            return Path(sys.executable)
        folder = environments / self.package.partition("=")[0].partition("[")[0]
        python = folder / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", self.package], check=True)
        return python

    @contextmanager
    def running(self, engine: str, folder: Path, environments: Path) -> Iterator[Running]:
        command, path, environment = self._command(engine, folder, environments)
        key = environment.get("LITELLM_MASTER_KEY") or ("none" if self.package else _issued(folder))
        port = _free_port()
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [part.replace("PORT", str(port)) for part in command],
                cwd=folder,
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running = Running(process, f"http://127.0.0.1:{port}{path}", key, folder)
        try:
            running.wait()
            yield running
        finally:
            running.kill()

    def _command(self, engine: str, folder: Path, environments: Path) -> tuple[list[str], str, Mapping[str, str]]:
        python = self.python(environments)
        if not self.package:
            command = [str(python), "-m", "journeyman", "serve", "--upstream", engine, "--store", "day.db"]
            return [*command, "--port", "PORT"], "/v1/chat/completions", {"PYTHONPATH": str(ROOT / "src")}
        if self.package == RLLM:
            command = [str(python), "-m", "rllm_model_gateway", "--host", "127.0.0.1", "--port", "PORT"]
            command += ["--worker", f"{engine}/v1", "--db-path", "traces.db", "--log-level", "WARNING"]
            return command, "/sessions/bench/v1/chat/completions", {}
        models = [
            {
                "model_name": mode,
                "litellm_params": {"model": f"openai/{mode}", "api_base": f"{engine}/v1", "api_key": "no"},
            }
            for mode in MODES
        ]
        callbacks = {"callbacks": "keeping.keep"} if self.keeps else {}
        (folder / "config.yaml").write_text(json.dumps({"model_list": models, "litellm_settings": callbacks}))
        (folder / "keeping.py").write_text(_CALLBACK)
        command = [str(python.parent / "litellm"), "--config", "config.yaml", "--host", "127.0.0.1", "--port", "PORT"]
        settings = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
        settings["LITELLM_MASTER_KEY"] = f"sk-{secrets.token_hex(32)}"  # it does not start without one
        return [*command, "--num_workers", "1", "--telemetry", "False"], "/v1/chat/completions", settings


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    url: str
    key: str
    folder: Path

    def wait(self, seconds: float = 120.0) -> None:
        """Until it answers."""
        body = json.dumps({"model": "plain", "messages": [{"role": "user", "content": "ready?"}]}).encode()
        end = time.monotonic() + seconds
        while True:
            request = urllib.request.Request(
                self.url, body, {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    if response.status == 200:
                        return
            except OSError:
                pass
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"error: it does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.3)

    def cpu_seconds(self) -> float:
        """Of it and all that it has started."""
        return cpu_seconds(os.getpgid(self.process.pid))

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(os.getpgid(self.process.pid), signal.SIGKILL)
            self.process.wait()

    def kept(self) -> str:
        """All that it has kept, as text in which marks can be looked for."""
        if (self.folder / "day.db").exists():
            from journeyman.store import open_store

            with open_store(self.folder / "day.db") as store:
                whole = [each for each in store.exchanges() if each.ending == "complete" and each.reply]
                return "\n".join(each.request.decode() for each in whole)
        if (self.folder / "traces.db").exists():
            with closing(sqlite3.connect(self.folder / "traces.db")) as connection:
                return "\n".join(data for (data,) in connection.execute("SELECT data FROM traces"))
        path = self.folder / "kept.jsonl"
        return path.read_text() if path.exists() else ""


def _issued(folder: Path) -> str:
    """A key of ours: the others look one up for each request too."""
    from journeyman.capture.keys import issue
    from journeyman.store import open_store

    with open_store(folder / "day.db") as store:
        return issue(store, "bench")[0]


def cpu_seconds(group: int) -> float:
    """User and system time of the processes of a process group so far, with their children that have ended."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[2]) == group:
            total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


CONTESTANTS = (
    Contestant("Journeyman", "SQLite, durable before the answer's end"),
    Contestant("rllm-model-gateway", "SQLite, after the answer (its default)", RLLM),
    Contestant("LiteLLM, to a file", "its callback appends to a file after the answer", LITELLM),
    Contestant("LiteLLM", "keeps nothing", LITELLM, keeps=False),
)
