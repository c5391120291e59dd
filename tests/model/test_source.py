"""Where models come from: what is refused, what changes a fingerprint, and a cache that is whole or absent."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from journeyman.errors import ModelError
from journeyman.model import load_engine, source


@pytest.fixture
def model(tiny_directory: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be spoilt."""
    return Path(shutil.copytree(tiny_directory, tmp_path / "model"))


def refused(name: object) -> ModelError:
    with pytest.raises(ModelError) as refusal:
        load_engine(str(name))
    assert refusal.value.remedy
    return refusal.value


# What can be loaded


def test_a_directory_is_located(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert source.locate(str(model)) == model
    monkeypatch.chdir(model.parent)
    assert source.locate("model") == Path("model")
    monkeypatch.setenv("HOME", str(model.parent))
    assert source.locate("~/model") == model


def test_a_hub_name_stays_a_name() -> None:
    assert source.locate("HuggingFaceTB/SmolLM2-360M-Instruct") == "HuggingFaceTB/SmolLM2-360M-Instruct"


def test_a_directory_without_weights_is_refused(model: Path) -> None:
    (model / "model.safetensors").unlink()
    assert "no weights" in refused(model).message


def test_a_directory_without_a_config_is_refused(model: Path) -> None:
    (model / "config.json").unlink()
    assert "config.json" in refused(model).message


def test_a_file_and_a_missing_path_are_refused(model: Path) -> None:
    assert "not a model directory" in refused(model / "model.safetensors").message
    assert "not a model directory" in refused(model / "nowhere").message
    assert "not a model directory" in refused("./nowhere").message


def drop_tensor(model: Path) -> None:
    tensors = load_file(model / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})


DAMAGES: dict[str, Callable[[Path], object]] = {
    "weights cut off": lambda m: (m / "model.safetensors").write_bytes((m / "model.safetensors").read_bytes()[:-999]),
    "weights empty": lambda m: (m / "model.safetensors").write_bytes(b""),
    "a tensor is missing": drop_tensor,
    "config cut off": lambda m: (m / "config.json").write_text("{"),
    "unknown family": lambda m: (m / "config.json").write_text('{"model_type": "nonesuch"}'),
    "no tokenizer": lambda m: [(m / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
    "no chat template": lambda m: (m / "chat_template.jinja").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_refused(damage: str, model: Path) -> None:
    DAMAGES[damage](model)
    assert str(model) in str(refused(model))


def test_loading_leaves_the_progress_bars_as_they_were(model: Path) -> None:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    try:
        for change, enabled in ((logging.disable_progress_bar, False), (logging.enable_progress_bar, True)):
            change()
            source.load(model)
            assert logging.is_progress_bar_enabled() == enabled
    finally:
        (logging.enable_progress_bar if shown else logging.disable_progress_bar)()


# Fingerprints


def test_a_fingerprint_changes_with_weights_config_and_tokenizer(model: Path) -> None:
    before = source.fingerprint(model)
    assert source.fingerprint(model) == before
    assert len(before) == 16
    (model / "README.md").write_text("hello")
    assert source.fingerprint(model) == before
    seen = {before}
    tensors = load_file(model / "model.safetensors")
    tensors["model.norm.weight"][0] += 1e-3
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    seen.add(source.fingerprint(model))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-3}))
    seen.add(source.fingerprint(model))
    for name in ("chat_template.jinja", "tokenizer.json"):
        (model / name).write_text((model / name).read_text() + " ")
        seen.add(source.fingerprint(model))
    (model / "merges.txt").write_text("a b")
    seen.add(source.fingerprint(model))
    assert len(seen) == 6


def test_a_copy_has_the_same_fingerprint(model: Path, tiny_directory: Path) -> None:
    assert source.fingerprint(model) == source.fingerprint(tiny_directory)
    assert source.fingerprint("a/name") != source.fingerprint("another/name")


# Downloads, without a network: pip reads from a directory


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of a package that exists nowhere, in the only place where pip may look."""
    index = tmp_path / "index"
    index.mkdir()
    path = index / "jm_tiny-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: jm-tiny\nVersion: 1.0\nRequires-Dist: surely-not-there\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("jm_tiny/tiny.gguf", b"GGUF")
        archive.writestr("jm_tiny-1.0.dist-info/METADATA", metadata)
        archive.writestr(
            "jm_tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("jm_tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wheel_is_fetched_without_its_dependencies(wheel: Path, tmp_path: Path) -> None:
    found = source.fetch_wheel("jm-tiny==1.0", sha256(wheel), tmp_path / "into")
    assert found.read_bytes() == wheel.read_bytes()


def test_a_wheel_with_another_hash_is_refused(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=sha256(wheel)) as refusal:
        source.fetch_wheel("jm-tiny==1.0", "0" * 64, tmp_path / "into")
    assert "do not use it" in refusal.value.remedy


@pytest.mark.usefixtures("wheel")
def test_a_download_that_fails_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"jm-tiny==2\.0") as refusal:
        source.fetch_wheel("jm-tiny==2.0", "0" * 64, tmp_path / "into")
    assert "network" in refusal.value.remedy


def test_an_environment_without_pip_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", f"{sys.executable}: No module named pip")

    monkeypatch.setattr(source.subprocess, "run", run)
    with pytest.raises(ModelError) as refusal:
        source.fetch_wheel("jm-tiny==1.0", "0" * 64, tmp_path / "into")
    assert "ensurepip" in refusal.value.remedy


# The default model's cache


@pytest.fixture
def cache(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the default model is in the tiny wheel, and fetching it is a copy."""
    monkeypatch.setenv("JOURNEYMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(source, "_GGUF", "jm_tiny/tiny.gguf")
    monkeypatch.setattr(source, "fetch_wheel", lambda *_: wheel)
    return tmp_path / "cache" / "models"


def test_the_cache_follows_its_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    monkeypatch.delenv("JOURNEYMAN_CACHE", raising=False)
    assert source.cache_directory() == tmp_path / "x" / "journeyman"
    monkeypatch.setenv("JOURNEYMAN_CACHE", str(tmp_path / "y"))
    assert source.cache_directory() == tmp_path / "y"


def test_the_converted_model_appears_whole(cache: Path, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []

    def convert(gguf: Path, target: Path) -> None:
        calls.append(gguf.read_bytes())
        assert not list(cache.glob("SmolLM2*"))
        shutil.copytree(tiny_directory, target)

    monkeypatch.setattr(source, "_convert", convert)
    found = source.locate(source.DEFAULT_MODEL)
    assert isinstance(found, Path)
    assert {p.name for p in found.iterdir()} == {p.name for p in tiny_directory.iterdir()}
    assert source.locate(source.DEFAULT_MODEL) == found
    assert calls == [b"GGUF"]
    assert list(cache.iterdir()) == [found]  # nothing else is left behind


def test_a_conversion_that_is_cut_off_leaves_nothing(
    cache: Path, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(gguf: Path, target: Path) -> None:
        target.mkdir()
        (target / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(source, "_convert", cut_off)
    with pytest.raises(KeyboardInterrupt):
        source.locate(source.DEFAULT_MODEL)
    assert not list(cache.iterdir())
    monkeypatch.setattr(source, "_convert", lambda _, target: shutil.copytree(tiny_directory, target))
    assert (Path(source.locate(source.DEFAULT_MODEL)) / "model.safetensors").is_file()


def test_a_process_that_was_first_is_left_alone(
    cache: Path, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes convert at once: the second uses what the first has put there, and does not remove it."""
    theirs: list[int] = []

    def convert(_: Path, target: Path) -> None:
        shutil.copytree(tiny_directory, target)
        name = f"{source.DEFAULT_MODEL}-{source._SHA256[:12]}"
        shutil.copytree(tiny_directory, cache / name)
        theirs.append((cache / name / "model.safetensors").stat().st_ino)

    monkeypatch.setattr(source, "_convert", convert)
    found = Path(source.locate(source.DEFAULT_MODEL))
    assert (found / "model.safetensors").stat().st_ino == theirs[0]
    assert list(cache.iterdir()) == [found]


def test_a_cache_that_cannot_be_written_is_a_model_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JOURNEYMAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError) as refusal:
        source.locate(source.DEFAULT_MODEL)
    assert "JOURNEYMAN_CACHE" in refusal.value.remedy


def test_weights_are_loaded_in_float32(model: Path) -> None:
    tensors = load_file(model / "model.safetensors")
    halves = {key: tensor.bfloat16() for key, tensor in tensors.items()}
    save_file(halves, model / "model.safetensors", metadata={"format": "pt"})
    loaded, _ = source.load(model)
    expected = torch.float32 if not torch.cuda.is_available() else loaded.dtype
    assert loaded.dtype == expected


def test_a_type_of_weights_that_is_none(tiny_directory: Path) -> None:
    with pytest.raises(ModelError, match="weights of int8") as refusal:
        load_engine(tiny_directory, dtype="int8")  # type: ignore[arg-type]
    assert "bfloat16" in refusal.value.remedy
