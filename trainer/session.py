"""The context of a run: settings, run directory, progress, and the one model in memory."""

from pathlib import Path
from typing import cast

from srlm.config import TrainConfig
from srlm.config.rewards import JUDGE, only_judge
from srlm.console import Progress
from srlm.engines.budget import Budget
from srlm.engines.client_config import ClientConfig
from srlm.engines.engine import Engine
from srlm.engines.open import open_engine
from srlm.inference import Caller
from srlm.judges.pointwise import PointwiseJudge, configured_judge
from srlm.judges.rubric import Scale
from srlm.model_hub import is_model_name, model_folder
from srlm.rewards.source import RewardSource, open_source
from srlm.runs import Run
from trainer.reward_versions import SourceVersion, require_version


class Session:
    """Context of a run with at most one loaded engine, so that memory holds one model and never two.

    All engines that it opens share one `budget`, and those of models behind a server one `client`.
    """

    def __init__(
        self,
        config: TrainConfig,
        run: Run,
        progress: Progress,
        budget: Budget | None = None,
        client: ClientConfig | None = None,
    ) -> None:
        self.config = config
        self.run = run
        self.progress = progress
        self.budget, self.client = budget, client or ClientConfig(warn=progress.say)
        self._engine: Engine | None = None
        self._model = ""

    def engine(self, model: str, folder: Path | None = None) -> Engine:
        """Return the engine of a model, and release the one before it.

        Args:
            model: a model of this run, such as "M1", or an external one.
            folder: a checkpoint's folder; `model` is then only its name.
        """
        if self._engine is None or self._model != model:
            self.release()
            config, run = self.config, self.run
            self._model = model
            external = model not in run.models() and is_model_name(model)
            self._engine = open_engine(
                str(folder) if folder else model if external else run.model(model),
                name=model,
                device=config.device,
                dtype=config.dtype,
                batch_tokens=config.batch_tokens,
                engine=config.engine,
                vllm=config.vllm.arguments(),
                # An external model may always reason: nothing that it writes is trained on.
                thoughts="open" if external or config.thoughts == "keep" else "closed",
                client=self.client,
                budget=self.budget,
            )
        return self._engine

    def caller(self, model: str, stage: str, folder: Path | None = None) -> Caller:
        """Return the engine of a model with the run's ledger, its calls counted under `stage`; see `engine`."""
        return Caller(self.engine(model, folder), self.run.ledger, stage, self.progress)

    def folder(self, model: str) -> Path:
        """Return the checkpoint folder of a model of this run, downloaded or converted where needed."""
        return model_folder(self.run.model(model).removeprefix("vllm:"))

    def missing_models(self) -> list[str]:
        """Return the models that the run has still to train, in that order."""
        return [model for model in self.config.trained_models if model not in self.run.models()]

    def source(self, source: str) -> Engine:
        """Return a program or a reward model of the setting `reward`, and release the engine before it.

        Raises:
            RunChanged: it is another version than the one that scored earlier answers of this run.
        """
        if self._engine is None or self._model != source:
            self.release()
            config = self.config
            opened = open_source(source, device=config.device, dtype=config.dtype, batch_tokens=config.batch_tokens)
            require_version(self.run, opened)
            self._engine, self._model = opened, source
        return self._engine

    def source_caller(self, source: str, stage: str) -> Caller:
        """Return a source of the setting `reward` with the run's ledger, as `caller` does for a model."""
        return Caller(self.source(source), self.run.ledger, stage, self.progress)

    def require_sources(self) -> list[SourceVersion]:
        """Open each source of the setting `reward` once, before an iteration computes what they are to score.

        Returns:
            Their versions.

        Raises:
            RunChanged: one is another version than the one that scored earlier answers of this run.
            SrlmError: one cannot be opened.
        """
        found: list[SourceVersion] = []
        for part in self.config.reward:
            if part.source != JUDGE:
                opened = cast(RewardSource, self.source(part.source))
                found.append(SourceVersion(part.source, opened.label))
                self.release()
        return found

    def release(self) -> None:
        """Release the engine's memory, for training."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def judge(self) -> PointwiseJudge:
        """Return the judge of the settings."""
        return configured_judge(self.config.judge)

    def scale(self) -> Scale | None:
        """Return the scale of the rewards: that of the judge's rubric, None where another source has a weight."""
        return self.judge().rubric.scale if only_judge(self.config.reward) else None
