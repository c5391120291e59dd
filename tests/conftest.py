"""What tests of several rooms run on: tiny random models, made on the spot, and a database server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from postgres_server import PostgresServer

    from journeyman.model.transformers_engine import TransformersEngine

# The template of SmolLM2-Instruct, as far as it matters: a default system turn, then one block a message.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tokenizer() -> Any:
    """A byte-level tokenizer without merges: 256 bytes and the three special tokens of SmolLM2."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {byte: index for index, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        bos_token="<|im_start|>",
        unk_token="<|endoftext|>",
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def make_model(family: str, directory: Path, seed: int = 0, **changes: Any) -> Path:
    """A random model of `family` ("llama" or "qwen2", which has biases on q, k, v) saved in `directory`.

    Its weights are larger than at the start of a training run, so that its answers depend on all of its input.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = make_tokenizer()
    settings: dict[str, Any] = {
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": False,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = AutoConfig.for_model(family, **{**settings, **changes})
    generator = torch.Generator().manual_seed(seed)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_(1 + 0.1 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(0.25 * noise)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A saved tiny Llama."""
    return make_model("llama", tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture(scope="session")
def tiny_qwen_directory(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A saved tiny Qwen2: biases on q, k and v, tied embeddings."""
    return make_model("qwen2", tmp_path_factory.mktemp("tiny-qwen2"), seed=1, tie_word_embeddings=True)


@pytest.fixture(scope="session")
def make_tiny(one_thread: None) -> Callable[..., Path]:
    """`make_model`, for tests that need a model of their own."""
    return make_model


@pytest.fixture
def tiny_engine(tiny_directory: Path) -> TransformersEngine:
    """An engine over the tiny Llama, new for each test: adapters that a test puts in do not outlive it."""
    from journeyman.model import load_engine

    return load_engine(tiny_directory)


@pytest.fixture
def tiny_qwen_engine(tiny_qwen_directory: Path) -> TransformersEngine:
    from journeyman.model import load_engine

    return load_engine(tiny_qwen_directory)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server of our own; tests that need one are skipped where there is none."""
    pytest.importorskip("psycopg", reason='psycopg is not installed: pip install "journeyman[postgres]"')
    from postgres_server import NoServerError, running

    try:
        with running() as server:
            yield server
    except NoServerError as why:
        pytest.skip(str(why))


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What names a new store, of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    return request.getfixturevalue("postgres").empty()
