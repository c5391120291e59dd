"""One step of on-policy self-distillation on a GPU: tokens a second, memory, and how far from the card's limit.

    python bench/gpu.py [--models default 1.5b 8b] [--contexts 256 1024 4096] [--answers 32 128] [--minutes 9]

The step is that of bench/train_step.py: 32 states answered by the student without the context, scored by the veteran
with it, LoRA of rank 16 on all linear layers updated once; the base in bfloat16. "1.5b" and "8b" are Qwen-shaped, with
151,936 words, and randomly initialised on the card, so that nothing is downloaded: what they say is noise, and what it
costs is not. The second step of each cell is timed. Writes bench/results/gpu_step.json after every cell, and stops
before a cell that the minutes would not hold.

Needs torch, transformers and peft alone. Without a GPU it runs "tiny" models only, to be tried out.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from journeyman.learn import LIVE, Exposure, Schedule, Trainer, opsd
from journeyman.model import load_engine
from journeyman.model.lora import LoRAConfig
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import TransformersEngine

RESULT = Path(__file__).parent / "results" / "gpu_step.json"
QWEN = {"max_position_embeddings": 32768, "rope_theta": 1e6}
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
    "1.5b": {
        "vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
        "num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
    "8b": {
        "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": False,
    },
}  # fmt: skip


def main() -> int:
    begun = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["default", "1.5b", "8b"], help="default, 1.5b, 8b or tiny")
    parser.add_argument("--contexts", type=int, nargs="+", default=[256, 1024, 4096])
    parser.add_argument("--answers", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--states", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--default", default=DEFAULT_MODEL, help="name or directory of the default model")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    if not on_gpu and args.models != ["tiny"]:
        print("error: there is no GPU here\ntry: --models tiny, to see that it runs", file=sys.stderr)
        return 2
    device = torch.cuda.get_device_name() if on_gpu else "cpu"
    rate = gemm_rate()
    cells: list[dict[str, Any]] = []
    longest = 0.0
    for name in args.models:
        engine = load_engine(args.default, dtype="bfloat16") if name == "default" else random_engine(name)
        for context in args.contexts:
            for answer in args.answers:
                spent = time.perf_counter() - begun
                if spent + 1.5 * longest > 60 * args.minutes:
                    print(f"left out: {name}, context {context}, answers {answer}: no time", flush=True)
                    continue
                started = time.perf_counter()
                cells.append({"model": name, "context": context, "answer": answer})
                cells[-1] |= measure(engine, context, answer, args.states, rate)
                longest = max(longest, time.perf_counter() - started)
                print(json.dumps(cells[-1]), flush=True)
                args.out.parent.mkdir(parents=True, exist_ok=True)
                result = {
                    "command": " ".join(["python", "bench/gpu.py", *sys.argv[1:]]),
                    "date": datetime.now(UTC).isoformat(timespec="seconds"),
                    "device": device,
                    "torch": torch.__version__,
                    "states": args.states,
                    "gemm_tflops": rate / 1e12,
                    "cells": cells,
                }
                args.out.write_text(json.dumps(result, indent=1) + "\n")
        del engine
        if on_gpu:
            torch.cuda.empty_cache()
    return 0


def random_engine(name: str) -> TransformersEngine:
    """An engine over random weights, made on the device; it has no words, only ids."""
    from tokenizers import Tokenizer, models
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<end>": 0, "<other>": 1}, unk_token="<other>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", unk_token="<other>")
    config = AutoConfig.for_model("qwen2", **{**QWEN, **SHAPES[name]}, eos_token_id=0, bos_token_id=0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    finally:
        torch.set_default_dtype(before)
    return TransformersEngine(model, tokenizer, name, name)


def measure(engine: TransformersEngine, context: int, answer: int, states: int, rate: float) -> dict[str, Any]:
    """The second of two steps, by phases."""
    engine.end_ids = frozenset()  # answers of full length
    engine.put_adapter(LIVE, engine.new_adapter(LoRAConfig(rank=16, alpha=32), 0))
    rng = random.Random(0)
    words = engine.head.weight_VH.shape[0]

    def ids(count: int) -> list[int]:
        return [rng.randrange(2, words) for _ in range(count)]

    shared, system = ids(context), ids(20)
    questions = [ids(12) for _ in range(states)]
    prompts = [([*system, *each], [*system, *shared, *each]) for each in questions]
    phases: dict[str, float] = {}

    def fresh(step: int) -> list[Exposure]:
        started = _now()
        found = opsd.roll_out(engine, None, prompts, max_new_tokens=answer, seed=step)
        phases["rollout_and_veteran_seconds"] = _now() - started
        return found

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    schedule = Schedule(2, rows=states, anchor_rows=0, learning_rate=1e-4)
    steps = iter(Trainer(engine, [], [], schedule, fresh))
    next(steps)
    started = _now()
    step = next(steps)
    seconds = _now() - started
    update = seconds - phases["rollout_and_veteran_seconds"]
    body = sum(layer.weight.numel() for layer in engine.layers.values())
    # As in bench/train_step.py: what no way of doing it could leave out.
    flops = 4.0 * body * step.tokens + 6.0 * engine.head.weight_VH.numel() * states * answer
    return {
        "seconds": seconds,
        "tokens_a_second": states * answer / seconds,
        "update_seconds": update,
        "update_tflops": flops / update / 1e12,
        "update_share_of_gemm_rate": flops / update / rate,
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None,
        **phases,
    }


def gemm_rate(size: int = 8192, seconds: float = 2.0) -> float:
    """Floating-point operations a second of large bfloat16 matrix products, here and now."""
    if not torch.cuda.is_available():
        size = 512
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = a @ b
    started, count = _now(), 0
    while _now() - started < seconds:
        for _ in range(8):
            torch.mm(a, b, out=product)
        count += 8
    return 2.0 * size**3 * count / (_now() - started)


def _now() -> float:
    """The time at which all that was asked of the device is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    sys.exit(main())
