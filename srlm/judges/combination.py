"""A combination to be measured before any training: the sources, weights and vetoes of a run file's setting `reward`.

It is measured as one source that scores answers, and is none that can be called: `srlm.judges.pointwise.score` asks
each of its sources, whose values stay in the ledger under their own keys, and combines them as a training does
(`srlm.rewards.combine`). The source `judge` is the run's own model in a training, of which a run file has none yet; in
its place stands `judge.frozen`, the run's second judge by the same rubric.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from srlm.config import TrainConfig
from srlm.config.preferences import JudgeConfig
from srlm.config.rewards import JUDGE, RewardPart
from srlm.config_file import load_config
from srlm.engines.budget import Budget
from srlm.engines.client_config import ClientConfig
from srlm.engines.engine import BatchResult, Engine, OnProgress, no_progress
from srlm.engines.open import is_remote
from srlm.errors import EngineError, UsageError
from srlm.judges.rubric import load_rubric
from srlm.model_hub import is_model_name
from srlm.prices import FREE, Price
from srlm.rewards.source import RewardSource, open_judge, open_source
from srlm.types import Failed, Request, Reward, Scored, Unparsed, Verdict


class Combination:
    """The opened sources of a combination, in the order of its parts."""

    def __init__(self, name: str, parts: Sequence[RewardPart], sources: Sequence[Engine], judge: JudgeConfig) -> None:
        """Compute the identity: that of the sources, with their weights and vetoes.

        Args:
            name: display name.
            parts: the sources, with weights and vetoes.
            sources: an engine for each.
            judge: the way in which the source `judge` scores.

        Raises:
            UsageError: the judge's rubric is missing or wrong.
        """
        self.name, self.parts, self.sources, self.judge = name, tuple(parts), tuple(sources), judge
        known = [(one.identity, part.share, part.veto_below) for part, one in zip(parts, sources, strict=True)]
        how = (load_rubric(judge.rubric).label, judge.scoring, judge.samples, judge.sampling, judge.least_mass)
        digest = sha256(repr((known, how if _asks_judge(parts) else ())).encode()).hexdigest()
        self.identity = f"combination:{digest}"
        self.label = f"combination:{digest[:12]}"
        self.price: Price | None = FREE if all(one.price == FREE for one in sources) else None

    def with_sources(self, sources: Sequence[Engine]) -> "Combination":
        """Return the same combination of other engines, such as those that count their calls."""
        return Combination(self.name, self.parts, sources, self.judge)

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Refuse to be called as a model.

        Raises:
            EngineError: always.
        """
        raise EngineError(
            f"{self.name} is a combination of rewards and writes no text. Measure it with `srlm judge card` or `srlm "
            "eval --suite reward`, or train with it: srlm train."
        )

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """Refuse to be called as a model, as `plan` does."""
        self.plan([request for batch in batches for request in batch])
        return iter(())

    def close(self) -> None:
        """Free the memory of all sources."""
        for source in self.sources:
            source.close()


def is_run_file(spec: str) -> bool:
    """Return whether a name is that of a run file, by its ending."""
    return Path(spec).suffix in {".yaml", ".yml"} and not Path(spec).is_dir()


def load_combination(spec: str) -> TrainConfig:
    """Read a run file whose setting `reward` is to be measured.

    Raises:
        UsageError: it cannot be read, or has the source `judge` and no model for it.
    """
    config = load_config(spec, [])
    frozen = config.judge.frozen
    if _asks_judge(config.reward) and (frozen is None or not is_model_name(frozen)):
        stands = "judge.frozen is not set" if frozen is None else f"judge.frozen is {frozen}, a model of the run"
        raise UsageError(
            f"{spec} has the source judge, which is the run's own model, and there is none to be measured: {stands}."
            " Give judge.frozen a model (a folder, hf:NAME, openai:NAME), which then stands in its place here, or "
            "measure the other sources by a file without judge."
        )
    return config


def asks_server(config: TrainConfig) -> bool:
    """Return whether the combination of a run file asks a model behind a server."""
    return _asks_judge(config.reward) and is_remote(config.judge.frozen or "")


def open_combination(
    config: TrainConfig, *, name: str, client: ClientConfig | None = None, budget: Budget | None = None
) -> Combination:
    """Open all sources of a combination, on the run file's device and in its dtype.

    Args:
        config: of `load_combination`.
        name: display name.
        client: for a judge behind a server.
        budget: likewise.

    Raises:
        UsageError: judge.frozen is a reward model, which reads no rubric.
        SrlmError: a source cannot be opened; see `srlm.rewards.source.open_source`.
    """
    sources: list[Engine] = []
    for part in config.reward:
        if part.source == JUDGE:
            sources.append(_open_frozen(config, client, budget))
        else:
            settings = {"device": config.device, "dtype": config.dtype, "batch_tokens": config.batch_tokens}
            sources.append(open_source(part.source, **settings))
    return Combination(name, config.reward, tuple(sources), config.judge)


def verdict_of(combination: Combination, parts: Sequence[Reward], combined: Reward) -> Verdict:
    """Return the verdict of a combination on one answer, whose text has the value of each source.

    Args:
        combination: which gave it.
        parts: the answer's reward by each source.
        combined: the answer's reward by all of them, of `srlm.rewards.combine.combine`.
    """
    named = [(part.source, reward) for part, reward in zip(combination.parts, parts, strict=True)]
    text = ", ".join(f"{source} {'-' if one.value is None else f'{one.value:.6g}'}" for source, one in named)
    missing = [(source, one) for source, one in named if one.value is None]
    reading: Scored | Unparsed | Failed
    if combined.value is not None:
        reading = Scored(combined.value, text)
    elif all(one.unparsed for _, one in missing):
        reading = Unparsed(text, f"no value of {', '.join(source for source, _ in missing)}")
    else:
        reading = Failed(f"no answer of {', '.join(source for source, one in missing if not one.unparsed)}")
    return Verdict(
        id=f"{combined.answer_id}-r0",
        judge=combination.name,
        rubric=combination.label,
        answer_ids=(combined.answer_id,),
        reading=reading,
        vetoed_by=combined.vetoed_by,
    )


def _asks_judge(parts: Sequence[RewardPart]) -> bool:
    return any(part.source == JUDGE for part in parts)


def _open_frozen(config: TrainConfig, client: ClientConfig | None, budget: Budget | None) -> Engine:
    frozen = str(config.judge.frozen)
    opened = open_judge(
        frozen,
        device=config.device,
        dtype=config.dtype,
        batch_tokens=config.batch_tokens,
        engine=config.engine,
        vllm=config.vllm.arguments(),
        client=client,
        budget=budget,
    )
    if isinstance(opened, RewardSource):
        raise UsageError(f"judge.frozen is {frozen}, which scores without a rubric. Name it in reward, and not judge.")
    return opened
