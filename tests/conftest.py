"""What tests share: the real command line, and a tiny model to give it.

`cli(...)` runs `srlm` without a network, a key, or a terminal, by the entry point of its script and inside the test's
process, because a new process spends seconds on imports. `cli.apart(...)` and `cli.start(...)` run the script itself in
a process of its own: for what is about processes (start-up, Ctrl-C, pipes, a library that is missing), and once for
each kind of error. `cli.fork(...)` runs it in a fork of a process that has the libraries: for the many lives of a run
that is killed. `tiny_model` is a Llama of some 40,000 weights: it writes nonsense, but by the same code as any
other. `finished_run` is one unbroken run of it; tests must not write into that, `own_run` is a copy for them. Both are
made once, by the first worker that needs them. `page` is one of a real browser, if there is any.
"""

import os

# Before torch is imported. One thread each, so that workers do not take each other's cores, and sums come out alike in
# this process and in those that tests start; and no test waits for a hub that is not there.
os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import hashlib
import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import chdir, closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from filelock import FileLock

from helpers.browser import chromium, page, seen
from helpers.forked import ForkedCommand

__all__ = ["chromium", "page", "seen"]

with suppress(ModuleNotFoundError):  # the environment of the tests with vLLM has none, and they have no properties
    from hypothesis import settings

    settings.register_profile("untimed", deadline=None)  # how fast a machine is, is never tested
    settings.load_profile("untimed")

SRLM = Path(sys.executable).parent / "srlm"
TIMEOUT_SECONDS = 240

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

RUBRIC = """\
Grade the response from 0 to 5.
<instruction>{{instruction}}</instruction>
<response>{{response}}</response>
End with a line such as this one:
Score: 3
"""

CONFIG = """\
# The loop in seconds: sizes and rates for a model of 40,000 weights, not for any real one. Prompts are short and
# batch_tokens is small, so that every stage has several batches, and batches have several rows.
model: {model}
iterations: 2
device: cpu
dtype: float32
batch_tokens: 1536
candidates: 5
candidate_sampling: {{temperature: 1.0, top_p: 1.0, max_tokens: 100}}
seeds: {{ift_limit: 8, eft_limit: 6, validation_limit: 6}}
sft: {{learning_rate: 2.0e-3, batch_size: 4, per_device_train_batch_size: 4, epochs: 2, dropout: 0,
      gradient_checkpointing: false}}
instructions:
  count: 10
  sampling: {{temperature: 0.8, top_p: 1.0, max_tokens: 40}}
  rouge_limit: 1.0
  min_words: 1
judge: {{scoring: expected, rubric: {rubric}}}
dpo: {{learning_rate: 1.0e-4, batch_size: 2, per_device_train_batch_size: 2, dropout: 0, gradient_checkpointing: false}}
"""


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The messages on standard error, each whole: from a line that begins with "Error:" to the end."""
        return [f"Error:{part}" for part in f"\n{self.err}".split("\nError:")[1:]]


@dataclass(frozen=True)
class CommandLine:
    """The `srlm` command with a home of its own."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    patience: float = TIMEOUT_SECONDS
    always_apart: bool = False

    def __call__(self, *words: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> Result:
        """Run to the end, in this process."""
        if self.always_apart:
            return self.apart(*words, cwd=cwd, env=env)
        from srlm.cli.main import main

        out, err = io.StringIO(), io.StringIO()
        code: Any = 0
        with (
            mock.patch.dict(os.environ, {**self.environment, **(env or {})}, clear=True),
            mock.patch.multiple(sys, argv=["srlm", *map(str, words)], stdin=io.StringIO()),
            chdir(cwd or self.home),
            redirect_stdout(out),
            redirect_stderr(err),
            _signals_kept(),
        ):
            try:
                main()
            except SystemExit as end:
                code = end.code
        return Result(code or 0, out.getvalue(), err.getvalue())

    def apart(
        self, *words: object, cwd: Path | None = None, env: dict[str, str] | None = None, customize: str = ""
    ) -> Result:
        """Run to the end, in a process of its own.

        `customize` is Python that its interpreter runs first, to make the machine lack something.
        """
        process = self.start(*words, cwd=cwd, env=env, customize=customize)
        try:
            out, err = process.communicate(timeout=self.patience)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return Result(process.returncode, out, err)

    def start(
        self,
        *words: object,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        customize: str = "",
        stdout: Any = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        """Start, and leave it running, as the first of a process group of its own."""
        surroundings = {**self.environment, **(env or {})}
        if customize:
            folder = self.home / f"customize-{abs(hash(customize))}"
            folder.mkdir(exist_ok=True)
            (folder / "sitecustomize.py").write_text(textwrap.dedent(customize), encoding="utf-8")
            surroundings["PYTHONPATH"] = str(folder)
        return subprocess.Popen(
            [str(SRLM), *map(str, words)],
            cwd=cwd or self.home,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def fork(
        self, *words: object, cwd: Path | None = None, env: dict[str, str] | None = None, customize: str = ""
    ) -> ForkedCommand:
        """Start as `start` does, in a fork of a process that has imported the libraries, and leave it running."""
        surroundings = {**self.environment, **(env or {})}
        return ForkedCommand(list(map(str, words)), cwd or self.home, surroundings, customize, self.home)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Give this process its own answer to Ctrl-C and to an end back, which a command replaces by its own."""
    from srlm.cli.signals import STOPPING

    before = {number: signal.getsignal(number) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class RunFolder:
    """A run directory, looked at from outside. `printed` is what the command that made it printed."""

    folder: Path
    printed: Result | None = None

    @property
    def at(self) -> tuple[str, ...]:
        """The options that name it."""
        return ("--runs", str(self.folder.parent), "--run", self.folder.name)

    def calls(self, stage: str = "%") -> list[tuple[str, ...]]:
        """The answered calls of a stage, without how long they took."""
        columns = "key, stage, model, request, reply, prompt_tokens, completion_tokens, cost"
        address = f"file:{self.folder / 'ledger.sqlite'}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as ledger:
            return ledger.execute(f"SELECT {columns} FROM calls WHERE stage LIKE ? ORDER BY key", (stage,)).fetchall()

    def records(self, stage: str) -> list[dict[str, Any]]:
        """A stage's records."""
        lines = (self.folder / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file, but those that SQLite keeps beside a database."""
        return {
            str(file.relative_to(self.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(self.folder.rglob("*"))
            if file.is_file() and not file.name.endswith(("-wal", "-shm"))
        }

    def results(self) -> dict[str, str]:
        """Digests of what was computed: no times in training logs, no pages of the database, no halves of files."""
        return {
            name: digest
            for name, digest in self.digests().items()
            if not name.rpartition("/")[2].startswith(".") and not name.endswith(("/training.jsonl", "ledger.sqlite"))
        }

    def losses(self, model: str) -> list[float]:
        """The loss of each step of a training."""
        return [entry["loss"] for entry in self.records(f"{model}/training") if "loss" in entry]

    def copy(self, folder: Path) -> "RunFolder":
        """The same run at another place."""
        shutil.copytree(self.folder, folder)
        return RunFolder(folder)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A function: the folder of that name, filled by the first worker that asks for it, and read by all.

    One whose `make` fails leaves it to the next to begin anew.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        place = shared / f"once-{name}"
        made = place.with_suffix(".made")
        with FileLock(place.with_suffix(".lock")):
            if not made.exists():
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                make(place)
                made.touch()
        return place

    return folder


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    home = tmp_path_factory.mktemp("home")
    secret = ("API_KEY", "TOKEN", "SECRET")
    strange = {"PYTHONPATH", "FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "COLUMNS"}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in strange
        and not name.startswith("SRLM_")
        and not name.endswith(secret)
        and not name.lower().endswith("_proxy")
    }
    return CommandLine(
        home,
        {
            **inherited,
            "HOME": str(home),
            "HF_HOME": str(home / "huggingface"),
            "SRLM_CACHE": str(home / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


@pytest.fixture(scope="session")
def tiny_head_size() -> int:
    """Columns of an attention head of the tiny model; what another engine needs at the least, where it is tested."""
    return 8


@pytest.fixture(scope="session")
def tiny_model(once: Callable[..., Path], tiny_head_size: int) -> Path:
    """A checkpoint folder: two layers that have read the embedded seeds for seconds, byte-level BPE, ChatML."""
    return once("model", lambda folder: _make_tiny_model(folder, tiny_head_size))


def _make_tiny_model(folder: Path, head_size: int) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    end, start, stop = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
    bpe = Tokenizer(models.BPE())
    # Digits stand alone, as in SmolLM2's vocabulary: the judge's score is one of six single tokens.
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    seeds = (files("srlm.data") / "ift.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [text for seed in map(json.loads, seeds) for text in (seed["instruction"], seed["response"])]
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=[end, start, stop],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=stop,
        pad_token=end,
        additional_special_tokens=[start],
        chat_template=CHATML,
        model_max_length=2048,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=head_size,
            max_position_embeddings=2048,
            initializer_range=0.1,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    _read_seeds(model, tokenizer, [json.loads(seed) for seed in seeds])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_config(tiny_model: Path, once: Callable[..., Path]) -> Path:
    """A configuration of two iterations of the tiny model."""

    def make(folder: Path) -> None:
        rubric = folder / "short.md"
        rubric.write_text(RUBRIC, encoding="utf-8")
        (folder / "tiny.yaml").write_text(CONFIG.format(model=tiny_model, rubric=rubric), encoding="utf-8")

    return once("config", make) / "tiny.yaml"


@pytest.fixture(scope="session")
def run_folder() -> type[RunFolder]:
    """For tests that make runs of their own."""
    return RunFolder


@pytest.fixture(scope="session")
def finished_run(cli: CommandLine, tiny_config: Path, once: Callable[..., Path]) -> RunFolder:
    """A run that nothing disturbed, never evaluated. Copy it before you change it, or take `own_run`."""

    def make(folder: Path) -> None:
        result = cli.apart("train", tiny_config, "--runs", folder, "--name", "r")
        assert result.code == 0, result.err
        (folder / "printed.json").write_text(json.dumps(asdict(result)), encoding="utf-8")

    runs = once("finished", make)
    return RunFolder(runs / "r", Result(**json.loads((runs / "printed.json").read_text(encoding="utf-8"))))


@pytest.fixture
def own_run(finished_run: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the finished run, to do with as one likes."""
    return finished_run.copy(tmp_path / "runs" / "r")


def _read_seeds(model: Any, tokenizer: Any, seeds: list[dict[str, str]], steps: int = 150) -> None:
    """Some seconds of training on numbered lists and on turns, so that lines and answers come to an end."""
    import torch

    turns = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": seed["instruction"]}, {"role": "assistant", "content": seed["response"][:40]}],
            tokenize=False,
        )
        for seed in seeds
    ]
    lists = [f"{number % 9 + 1}. {' '.join(seed['instruction'].split())}\n" for number, seed in enumerate(seeds)]
    text = "".join([*turns, *lists])
    stream = tokenizer(text, return_tensors="pt", add_special_tokens=False, verbose=False).input_ids[0]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        begins = torch.randint(0, len(stream) - 96, (16,))
        batch = torch.stack([stream[begin : begin + 96] for begin in begins])
        model(input_ids=batch, labels=batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Any]:
    """A ledger of the test's own, closed afterwards."""
    from srlm.ledger import Ledger

    found = Ledger(tmp_path / "ledger.sqlite")
    yield found
    found.close()
