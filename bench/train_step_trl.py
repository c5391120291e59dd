"""The contestant of bench/train_step.py: one step of TRL's self-distillation trainer, timed.

    python bench/train_step_trl.py WORK.json

Run by bench/train_step.py with the interpreter of an environment that has trl and peft; needs nothing of Journeyman.
Prints one JSON object: seconds and CPU-seconds of the last optimizer step, peak memory, tokens answered.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    import torch
    import trl
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer

    work = json.loads(Path(sys.argv[1]).read_text())
    states = len(work["questions"])
    rows = [
        {"prompt": [{"role": "user", "content": question}], "privileged_context": work["context"]}
        for question in work["questions"]
    ]
    spent: list[tuple[float, float]] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            spent.append((-time.perf_counter(), -time.process_time()))

        def on_step_end(self, *_, **__):
            wall, cpu = spent.pop()
            spent.append((wall + time.perf_counter(), cpu + time.process_time()))

    torch.set_num_threads(work["threads"])
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SDFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(work["model"], dtype=torch.float32),
            processing_class=AutoTokenizer.from_pretrained(work["model"]),
            train_dataset=Dataset.from_list(rows * work["steps"]),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
            args=SDFTConfig(
                output_dir=scratch,
                max_steps=work["steps"],
                per_device_train_batch_size=work["micro_batch"],
                gradient_accumulation_steps=states // work["micro_batch"],
                num_generations=1,
                learning_rate=1e-3,
                # The same loss as ours: forward KL over the full vocabulary, teacher = the base.
                distillation_mode="full_logits",
                distillation_alpha=0.0,
                teacher_model_kind="base",
                teacher_prompt_template="{privileged_context}\n\n{prompt}",
                max_prompt_length=None,  # its default keeps the last 512 tokens
                max_completion_length=work["answer"],
                generation_kwargs={"min_new_tokens": work["answer"]},
                shuffle_dataset=False,
                # What makes it fast on a CPU: no recomputation, and no half precision, which this hardware emulates.
                gradient_checkpointing=False,
                bf16=False,
                use_cpu=True,
                save_strategy="no",
                report_to=[],
                logging_steps=1,
                disable_tqdm=True,
            ),
            callbacks=[Clock()],
        )
        trainer.train()
    wall, cpu = spent[-1]
    print(
        json.dumps(
            {
                "seconds": wall,
                "cpu_seconds": cpu,
                "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
                "tokens": states * work["answer"],
                "trl": trl.__version__,
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
