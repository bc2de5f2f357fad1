"""The training data of a model of a run, read from its stages: the supervised examples, or the preference pairs."""

from srlm.errors import UnknownName, UsageError
from srlm.runs import Run
from srlm.seeding import derive_seed
from srlm.types import Answer, Demonstration, PreferencePair, SFTExample
from trainer.data.seed_data import sft_dataset
from trainer.data.sft_examples import ift_examples
from trainer.generation.candidates import full_text
from trainer.preferences.best_of_n import repeat_by_weight


def trained_by_dpo(run: Run, model: str) -> bool:
    """Return True if a model's training data is pairs."""
    return run.path(f"{model}/pairs").exists()


def require_training_data(run: Run, model: str) -> None:
    """Check that the run has the training data of a model; the training itself may still be unfinished.

    Raises:
        UsageError: the model was not trained by the run.
        UnknownName: there is no such model.
    """
    if run.is_given(model):
        raise UsageError(f"{model} is {run.config.model} itself, which the run did not train. Name M2 or a later one.")
    if (run.folder / model / "checkpoint").exists() or trained_by_dpo(run, model):
        return
    known = {path.parent.name for stage in ("checkpoint", "pairs.jsonl") for path in run.folder.glob(f"*/{stage}")}
    raise UnknownName(
        f"In the run {run.name}, the training data of", model, sorted(known, key=lambda one: (len(one), one))
    )


def preference_pairs(run: Run, model: str) -> tuple[list[PreferencePair], dict[str, str]]:
    """Return the pairs of a model, and the full text of their answers by id where reasoning is trained on."""
    written = full_texts(run, model) if run.config.thoughts == "keep" else {}
    return run.records(f"{model}/pairs", PreferencePair), written


def full_texts(run: Run, model: str) -> dict[str, str]:
    """Return the full generated text of all answers that pairs may hold, by their ids."""
    answers = [one for stage in ("candidates", "anchors") for one in run.records(f"{model}/{stage}", Answer)]
    return {one.id: full_text(one) for one in answers}


def supervised_examples(run: Run, model: str) -> list[SFTExample]:
    """Return the examples of a model's supervised fine-tuning, each as often as it is trained on."""
    config = run.config
    ift = run.records("seeds/ift", Demonstration)
    if model == "SFT":
        return ift_examples(ift)
    judgements = run.records("M1/judgements", SFTExample)
    return [*sft_dataset(config, ift, judgements), *(best_answers(run, model) if model != "M1" else [])]


def best_answers(run: Run, model: str) -> list[SFTExample]:
    """Return the best answers of all iterations up to that of a model, repeated by their weight."""
    last = int(model.removeprefix("M"))
    every = [one for past in range(2, last + 1) for one in run.records(f"M{past}/positives", SFTExample)]
    return repeat_by_weight(every, run.config.positives.weight, derive_seed(run.config.seed, model))
