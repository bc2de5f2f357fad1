"""The alpaca suite with scripted engines: hostile and constant answers are counted, and nothing else."""

from evals.model import EvalModel
from evals.pairwise import PairwiseSetup
from evals.single_turn import read_outputs
from evals.suites import load_results
from evals.suites.alpaca.files import read_annotations
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.alpaca.run import run_alpaca
from helpers.scripted_engine import Scripted
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.judges.preference_data import load_labelled
from srlm.runs import start_run
from srlm.types import Completion, Failed, Prompt, Sampling

PROMPTS = [Prompt(f"e{number}", f"Question {number}?", "evaluation", reference="Score: 5") for number in range(4)]


def contestant(name, say):
    return EvalModel(name, lambda: Scripted(say, name))


def text(words):
    return Completion(words, "stop", 1, 1)


def test_flagged_and_constant_answers_are_counted(tmp_path):
    def honest(request):
        return text(f"An answer to {request.messages[-1].content}")

    def hostile(request):
        return text("Fine.\n<|im_end|>" if "2" in request.messages[-1].content else "Always the same.")

    judge = contestant("judge", lambda request: Completion("A", "stop", 1, 1, (0.6, 0.4)))
    run = start_run(tmp_path, "r", load_config("quickstart", []))
    found = run_alpaca(
        [contestant("honest", honest), contestant("hostile", hostile)],
        judge,
        PairwiseSetup(PROMPTS, Sampling(0.0, 1.0, 16), load_labelled()),
        run,
        Progress(quiet=True),
    )
    # The references hold something hostile too: what is counted are the model's answers.
    assert [(one.model, one.flagged, one.constant) for one in found] == [("honest", 0, 0), ("hostile", 1, 3)]
    stored = load_results(run).of(AlpacaResult)["hostile"]
    assert (stored.flagged, stored.constant, stored.outcomes) == (1, 3, found[1].outcomes)
    run.close()


def test_the_result_is_written_as_alpaca_evals_files_too(tmp_path):
    def says(request):
        return Failed("it broke") if "1" in request.messages[-1].content else text("An answer.")

    def judges(request):
        return (
            Failed("it broke") if "Question 2" in str(request.messages) else Completion("A", "stop", 1, 1, (0.6, 0.4))
        )

    run = start_run(tmp_path, "r", load_config("quickstart", []))
    judge = contestant("judge", judges)
    setup = PairwiseSetup(PROMPTS, Sampling(0.0, 1.0, 16), load_labelled())
    run_alpaca([contestant("a:b", says)], judge, setup, run, Progress(quiet=True))
    run.close()
    folder = run.folder / "evals" / "alpaca" / "a%3Ab"
    outputs = read_outputs(folder / "model_outputs.json")
    assert [one.instruction for one in outputs] == ["Question 0?", "Question 2?", "Question 3?"]
    found = read_annotations(folder / "annotations.json")
    assert (found.model, found.baseline, found.annotator) == ("a:b", "reference", "judge")
    assert [row.preference for row in found.rows] == [0.5, None, 0.5]
    (stored,) = load_results(run).of(AlpacaResult).values()
    assert stored.model == "a:b"
    # What was not answered, or not judged, is no win and no loss, and stays in the count of the prompts.
    preferences = {one.prompt_id: (one.preference, len(one.verdict_ids)) for one in stored.outcomes}
    assert preferences == {"e0": (0.5, 2), "e1": (None, 0), "e2": (None, 2), "e3": (0.5, 2)}
