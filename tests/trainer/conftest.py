"""Fixtures of the training tests: texts to train on, and their log-probabilities by transformers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from srlm.types import PreferencePair, SFTExample

SENTENCE = "a list of the best ways to cook rice and write one short story about rain in spring"
WORDS = SENTENCE.split()


def text(seed: int, words: int) -> str:
    return " ".join(WORDS[(seed * 7 + place * (seed + 3)) % len(WORDS)] for place in range(words))


@pytest.fixture(scope="session")
def plain() -> dict[str, Any]:
    """Settings of a training without warm-up and dropout; sixteen examples give three steps."""
    return {
        "learning_rate": 1e-3,
        "warmup_ratio": 0,
        "per_device_train_batch_size": 16,
        "epochs": 3,
        "dropout": 0,
        "gradient_checkpointing": False,
    }


@pytest.fixture(scope="session")
def examples() -> list[SFTExample]:
    return [SFTExample(f"e{n}", "EFT", text(n, 5), text(n + 9, 4 + n % 5)) for n in range(24)]


@pytest.fixture(scope="session")
def pairs() -> list[PreferencePair]:
    """Sixteen pairs of different lengths."""
    return [
        PreferencePair(
            id=f"p{n}",
            prompt_id=f"q{n}",
            prompt=text(n, 3 + n % 4),
            chosen_id=f"q{n}-c0",
            chosen=text(n + 1, 2 + n % 7),
            chosen_reward=5.0,
            rejected_id=f"q{n}-c1",
            rejected=text(n + 2, 9 - n % 5),
            rejected_reward=1.0,
            reason="best against worst",
        )
        for n in range(16)
    ]


@dataclass(frozen=True)
class ByHand:
    """Log-probabilities under a checkpoint, one sequence at a time, without padding, fused heads or trainers."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32).eval())
        object.__setattr__(self, "tokenizer", AutoTokenizer.from_pretrained(self.folder))

    def logps(self, prompt: str, completion: str) -> torch.Tensor:
        """Return those of the answer's tokens: all after the beginning of the assistant's turn."""
        this: Any = self
        user = [{"role": "user", "content": prompt}]
        opened = this.tokenizer.apply_chat_template(user, tokenize=False, add_generation_prompt=True)
        whole = this.tokenizer.apply_chat_template(
            [*user, {"role": "assistant", "content": completion}], tokenize=False
        )
        before = this.tokenizer(opened, add_special_tokens=False).input_ids
        ids = this.tokenizer(whole, add_special_tokens=False).input_ids
        assert ids[: len(before)] == before
        with torch.no_grad():
            logits = this.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        return torch.stack([logits[place - 1, ids[place]] for place in range(len(before), len(ids))])


@pytest.fixture(scope="session")
def by_hand() -> type[ByHand]:
    return ByHand


@pytest.fixture(scope="session")
def perturbed_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with noise added to its weights, in place of a fine-tuned one."""
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp("perturbed") / "model"
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture
def log():
    """Reader of the training log next to a checkpoint: the entries of optimiser steps, in order."""

    def read(folder: Path) -> list[dict[str, float]]:
        lines = (folder.parent / "training.jsonl").read_text(encoding="utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if "loss" in entry]

    return read
