"""The suite nlp: the same figures as lm-eval's command, one result a model that grows task by task, and clear words."""

import gzip
import json
import logging
import shutil
from dataclasses import replace
from math import exp, isclose

import pytest

from evals.compare.comparison import compare_models
from evals.compare.export.json import as_json
from evals.model import Checkpoint, EvalModel
from evals.results import Provenance, collect
from evals.suites import load_results
from evals.suites.nlp import metrics as retained
from evals.suites.nlp.convert import task_result
from evals.suites.nlp.local_data import LocalData
from evals.suites.nlp.result import NlpResult, TaskMetric, TaskResult
from evals.suites.nlp.run import _loaded, require_checkpoints, run_nlp
from evals.suites.nlp.tasks import load_tasks, quiet
from helpers.lm_eval_command import MIRROR, command, define, needs_mirror
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import DataError, MissingData, ModelError, UnknownName, UsageError
from srlm.model_hub import model_folder, packaged_file
from srlm.runs import start_run

QUICK = ["arc_easy", "social_iqa", "mmlu_anatomy"]


def checkpoint(folder, name="M1"):
    return EvalModel(
        name, lambda: pytest.fail("the engine is not needed"), False, Checkpoint(lambda: folder, "cpu", "float32")
    )


@pytest.fixture
def run(tmp_path):
    run = start_run(tmp_path / "runs", "r", load_config("quickstart", []))
    yield run
    run.close()


def as_lm_eval_has_it(figures):
    """Figures in the form of lm-eval's results, where a missing error is a word."""
    found = {}
    for key, figure in figures.items():
        metric, _, kind = key.partition(",")
        found[key] = figure.value
        found[f"{metric}_stderr,{kind}"] = "N/A" if figure.stderr is None else figure.stderr
    return found


def same(result, found):
    """Every figure of lm-eval's, those of a group's tasks too, equals ours to the last digit."""
    for task in result.tasks.values():
        for name, figures in {task.task: task.figures, **task.parts}.items():
            assert as_lm_eval_has_it(figures) == {key: value for key, value in found[name].items() if "," in key}
        for metric, items in task.items.items():
            assert isclose(sum(items.values()) / len(items), task.figures[metric].value, rel_tol=1e-12)
    return True


@needs_mirror
def test_figures_are_those_of_lm_evals_command(tiny_model, run, tmp_path):
    (result,) = run_nlp([checkpoint(tiny_model)], load_tasks(QUICK, MIRROR, 3), 1, run, Progress(quiet=True))
    assert list(result.tasks) == QUICK
    found = command(tiny_model, define(tmp_path / "definitions", QUICK), QUICK, 3, tmp_path / "out")
    assert same(result, found)


@pytest.mark.slow
@needs_mirror
@pytest.mark.skipif(packaged_file() is None, reason="the packaged model is not installed")
@pytest.mark.parametrize(
    ("names", "limit"),
    [
        (["arc_easy", "openbookqa", "social_iqa", "piqa", "arc_challenge", "nq_open", "hellaswag"], 8),
        (["mmlu"], 2),  # of each of 57 subjects
        (["gsm8k"], 2),  # answers of 256 tokens, after 5 examples
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_figures_of_the_nine_tasks_are_those_of_lm_evals_command(names, limit, run, tmp_path):
    folder = model_folder("smollm2")
    (result,) = run_nlp([checkpoint(folder)], load_tasks(names, MIRROR, limit), 1, run, Progress(quiet=True))
    found = command(folder, define(tmp_path / "definitions", names), names, limit, tmp_path / "out")
    assert same(result, found)
    assert {name: len(next(iter(task.items.values()))) for name, task in result.tasks.items()} == {
        name: limit * (57 if name == "mmlu" else 1) for name in names
    }


# --- data -------------------------------------------------------------------------------------------------------------

ROWS = [
    {
        "id": f"q{number}",
        "question": f"What is {number} and one?",
        "choices": {"text": [str(number + 1), "none", "many"], "label": ["A", "B", "C"]},
        "answerKey": "A",
    }
    for number in range(5)
]
SUMS = [{"question": f"{number} + 1?", "answer": f"It is more.\n#### {number + 1}"} for number in range(8)]


def write(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_a_definition_stays_as_it_is_on_local_files(tmp_path):
    write(tmp_path / "arc_easy.jsonl", ROWS)
    (task,) = load_tasks(["arc_easy"], tmp_path, None).tasks
    definition = task.parts["arc_easy"].config
    assert (definition.dataset_path, definition.dataset_name) == ("allenai/ai2_arc", "ARC-Easy")
    assert (definition.training_split, definition.test_split) == ("train", "test")
    first = task.parts["arc_easy"].instances[0]
    assert first.args == ("Question: What is 0 and one?\nAnswer:", " 1")
    assert (task.shots, task.requests) == (0, 15)


def test_the_digest_tells_prompts_apart(tmp_path):
    def digest(rows, limit=None):
        write(tmp_path / "arc_easy.jsonl", rows)
        return load_tasks(["arc_easy"], tmp_path, limit).tasks[0].digest

    other_key = [{**ROWS[0], "answerKey": "B"}, *ROWS[1:]]
    assert digest(ROWS) == digest(ROWS)
    assert len({digest(ROWS), digest(ROWS, 3), digest(ROWS[::-1]), digest(other_key)}) == 4


def test_examples_come_from_their_own_split_or_not_at_all(tmp_path):
    questions = write(tmp_path / "gsm8k.jsonl", SUMS)
    with pytest.raises(DataError, match=r"gsm8k_train\.jsonl: there is no such file, and gsm8k takes 5 examples"):
        load_tasks(["gsm8k"], tmp_path, None)
    write(
        tmp_path / "gsm8k_train_first6.jsonl.gz", [{**row, "question": f"Train {row['question']}"} for row in SUMS[:6]]
    )
    (task,) = load_tasks(["gsm8k"], tmp_path, 2).tasks
    assert (task.shots, task.parts["gsm8k"].instances[0].args[0].count("Question: Train")) == (5, 5)
    assert questions.exists()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), r"arc_easy\.jsonl\.gz: ends in the middle"),
        (lambda path: path.write_bytes(gzip.compress(b'{"id": 1}\n{"id": ')), r"arc_easy\.jsonl\.gz, line 2: not JSON"),
        (lambda path: write(path, [ROWS[0], {"id": "x"}]), r"arc_easy\.jsonl\.gz, line 2: the field answerKey is miss"),
        (
            lambda path: write(path, [{"id": "x"}]),
            r"the rows of arc_easy do not fit lm-eval's definition of it \(Undef",
        ),
        (lambda path: write(path, [ROWS[0], {**ROWS[1], "choices": 3}]), r"arc_easy\.jsonl\.gz: rows of the same form"),
        (lambda path: path.unlink(), r"arc_easy_test\.jsonl: there is no such file"),
    ],
)
def test_damaged_files_are_named(tmp_path, damage, named):
    damage(write(tmp_path / "arc_easy.jsonl.gz", ROWS))
    with pytest.raises(DataError, match=named):
        load_tasks(["arc_easy"], tmp_path, None)


def test_names_and_places_that_do_not_exist(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="is no folder"):
        load_tasks(["arc_easy"], tmp_path / "nowhere", None)
    with pytest.raises(UnknownName, match="Did you mean 'arc_easy'"):
        load_tasks(["arc_eazy"], tmp_path, None)
    monkeypatch.setattr("datasets.load_dataset", lambda *words, **options: (_ for _ in ()).throw(ConnectionError("no")))
    with pytest.raises(MissingData, match=r"The data of piqa cannot be read from the Hub .* by --data FOLDER"):
        load_tasks(["piqa"], None, None)


def test_rows_of_one_subject(tmp_path):
    row = {"question": "?", "choices": ["a", "b", "c", "d"], "answer": 1}
    for split, count in (("test", 3), ("dev", 2)):
        write(
            tmp_path / f"mmlu_{split}.jsonl",
            [{**row, "subject": one} for one in ("anatomy", "virology") for _ in range(count)],
        )
    (task,) = load_tasks(["mmlu_anatomy"], tmp_path, None).tasks
    assert len(task.parts["mmlu_anatomy"].dataset["test"]) == 3
    with pytest.raises(DataError, match="no row of the subject astronomy"):
        load_tasks(["mmlu_astronomy"], tmp_path, None)
    assert LocalData(tmp_path).folder == tmp_path


# --- results ----------------------------------------------------------------------------------------------------------


def test_a_task_is_done_once_and_added_to_the_others(tiny_model, run, tmp_path, monkeypatch):
    write(tmp_path / "arc_easy.jsonl", ROWS)
    write(tmp_path / "arc_challenge.jsonl", ROWS)

    def evaluate(names, limit=None):
        (result,) = run_nlp([checkpoint(tiny_model)], load_tasks(names, tmp_path, limit), 1, run, Progress(quiet=True))
        return result

    first = evaluate(["arc_easy"])
    both = evaluate(["arc_easy", "arc_challenge"])
    assert both.tasks["arc_easy"] == first.tasks["arc_easy"]
    assert load_results(run).of(NlpResult)["M1"] == both
    monkeypatch.setattr("lm_eval.simple_evaluate", lambda **options: pytest.fail("nothing is left to do"))
    assert evaluate(["arc_challenge", "arc_easy"]) == both
    with pytest.raises(pytest.fail.Exception):
        evaluate(["arc_easy"], limit=3)


def test_lm_evals_own_files_are_there(tiny_model, run, tmp_path):
    write(tmp_path / "arc_easy.jsonl", ROWS)
    (result,) = run_nlp([checkpoint(tiny_model)], load_tasks(["arc_easy"], tmp_path, 4), 1, run, Progress(quiet=True))
    (file,) = (run.folder / "evals/nlp/M1").glob("results_*.json")
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["results"]["arc_easy"]["acc,none"] == result.tasks["arc_easy"].figures["acc,none"].value
    (samples,) = (run.folder / "evals/nlp/M1").glob("samples_arc_easy_*.jsonl")
    rows = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    assert {str(row["doc_id"]): row["acc"] for row in rows} == result.tasks["arc_easy"].items["acc,none"]


def test_prompts_that_were_cut_are_counted():
    with quiet() as cuts:
        for text in ("Truncating 3 tokens from the left.", "Left truncation applied.", "Something else."):
            logging.getLogger("lm_eval.models.huggingface").warning(text)
    assert cuts.count == 2


def test_servers_are_refused():
    remote = EvalModel("openai:gpt", lambda: pytest.fail("no call"), remote=True)
    with pytest.raises(UsageError, match=r"a server does not tell \(openai:gpt\)"):
        require_checkpoints([remote])


# --- what is read off them --------------------------------------------------------------------------------------------

SAME = Provenance("lm-eval 0.4.13", "arc_easy 1.0, 0-shot", "40:aa", "float32, batches of 1")


def result(model, tasks, provenance=SAME):
    """A result of made-up items: task -> which of 40 are right."""
    made = {}
    for task, right in tasks.items():
        values = {str(item): float(item in right) for item in range(40)}
        share = sum(values.values()) / 40
        made[task] = TaskResult(
            model,
            task,
            replace(provenance, rubric=f"{task} 1.0, 0-shot"),
            {"acc,none": TaskMetric(share, 0.07), "word_perplexity,none": TaskMetric(9.0, None)},
            {},
            {"acc,none": values},
            {"acc,none": "more", "word_perplexity,none": "less"},
        )
    return NlpResult(model, f"{model}:float32", made)


def test_items_of_a_groups_tasks_do_not_take_each_others_place():
    def row(number, acc, kind="none"):
        return {"doc_id": number, "filter": kind, "metrics": ["acc", "log"], "acc": acc, "log": (1, 2)}

    found = {
        "results": {
            "g": {"acc,none": 0.5, "acc_stderr,none": 0.1, "alias": "g"},
            "a": {"acc,none": 1.0},
            "b": {"acc,none": 0.0},
        },
        "samples": {"a": [row(0, 1.0), row(1, 1.0)], "b": [row(0, 0.0), row(1, 0.0)]},
        "higher_is_better": {"g": {"acc": True}},
    }
    task = task_result("M1", "g", SAME, found)
    assert task.items == {"acc,none": {"a/0": 1.0, "a/1": 1.0, "b/0": 0.0, "b/1": 0.0}}
    assert task.figures == {"acc,none": TaskMetric(0.5, 0.1)}
    assert task.parts == {"a": {"acc,none": TaskMetric(1.0, None)}, "b": {"acc,none": TaskMetric(0.0, None)}}
    assert task.better == {"acc,none": "more"}
    alone = {"results": {"a": found["results"]["a"]}, "samples": {"a": [row(3, 1.0)]}, "higher_is_better": {}}
    single = task_result("M1", "a", SAME, alone)
    assert (single.items, single.parts, single.better) == ({"acc,none": {"3": 1.0}}, {}, {"acc,none": "neither"})


def test_what_was_kept_and_what_was_lost():
    before = result("M0", {"piqa": range(40), "arc_easy": range(20), "own_task": range(9), "gsm8k": range(3)})
    after = result("M1", {"piqa": range(20), "arc_easy": range(21), "own_task": range(40)})
    found = compare_models(collect([before, after]), ["M1"], "M0")
    rows = {row.key: row for row in found.metrics}
    assert list(rows) == [
        f"nlp_{task}_{metric}" for task in ("arc_easy", "piqa", "own_task") for metric in ("acc", "word_perplexity")
    ]
    lost = rows["nlp_piqa_acc"].cells["M1"]
    assert (lost.estimate.value, lost.estimate.n) == (0.5, 40)
    assert lost.paired is not None
    assert (lost.paired.wins, lost.paired.losses, lost.paired.p_value) == (0, 20, 2 * 0.5**20)
    assert rows["nlp_piqa_word_perplexity"].cells["M1"].paired is None
    assert found.conclusions[-1] == (
        "Knowledge retention of M1 against M0 on NLP tasks: significantly worse in PIQA; significantly better in "
        "own_task; no significant difference in ARC-Easy."
    )
    assert "Not every model has results of gsm8k: left out." in found.captions


def test_a_figure_that_is_no_mean_of_items_is_lm_evals_and_not_tested():
    def lambada(model, likelihoods):
        values = {str(item): one for item, one in enumerate(likelihoods)}
        right = {item: float(one > -1) for item, one in values.items()}
        figures = {
            "perplexity,none": TaskMetric(exp(-sum(likelihoods) / len(likelihoods)), 0.5),
            "acc,none": TaskMetric(sum(right.values()) / len(right), 0.1),
        }
        items = {"perplexity,none": values, "acc,none": right}
        better = {"perplexity,none": "less", "acc,none": "more"}
        return NlpResult(model, model, {"lambada": TaskResult(model, "lambada", SAME, figures, {}, items, better)})

    found = compare_models(collect([lambada("M0", [-3.0] * 12), lambada("M1", [-0.5] * 12)]), ["M1"], "M0")
    tested, perplexity = found.metrics
    assert (tested.key, perplexity.key) == ("nlp_lambada_acc", "nlp_lambada_perplexity")
    assert (perplexity.cells["M0"].estimate.value, perplexity.cells["M1"].paired) == (pytest.approx(exp(3)), None)
    assert perplexity.cells["M0"].estimate.high == pytest.approx(exp(3) + 1.96 * 0.5, abs=1e-4)
    assert tested.cells["M1"].paired.wins == 12
    assert (
        found.conclusions[-1] == "Knowledge retention of M1 against M0 on NLP tasks: significantly better in lambada."
    )


def test_amounts_are_told_in_their_own_unit():
    def scored(model, amounts):
        items = {str(item): one for item, one in enumerate(amounts)}
        figures = {"rouge1,none": TaskMetric(sum(amounts) / len(amounts), 1.0)}
        task = TaskResult(model, "short", SAME, figures, {}, {"rouge1,none": items}, {"rouge1,none": "more"})
        return NlpResult(model, model, {"short": task})

    before, after = [30.0 + item % 3 for item in range(20)], [32.5 + item % 3 for item in range(20)]
    found = compare_models(collect([scored("M0", before), scored("M1", after)]), ["M1"], "M0")
    assert found.conclusions[0].startswith("M1 is significantly better than M0 in short, rouge1: +2.50 points [")
    (row,) = json.loads(as_json(found))["metrics"]
    assert (row["unit"], row["models"]["M1"]["difference"]["value"]) == ("number", 2.5)


def test_a_groups_figure_over_tasks_is_not_replaced_by_one_over_items():
    def group(model, right):
        items = {f"a/{item}": float(item < right) for item in range(20)} | {f"b/{item}": 1.0 for item in range(5)}
        figure = TaskMetric((right / 20 + 1) / 2, None)
        return NlpResult(
            model,
            model,
            {"g": TaskResult(model, "g", SAME, {"acc,none": figure}, {}, {"acc,none": items}, {"acc,none": "more"})},
        )

    (row,) = compare_models(collect([group("M0", 10), group("M1", 0)]), ["M1"], "M0").metrics
    assert [row.cells[model].estimate.value for model in ("M0", "M1")] == [0.75, 0.5]
    assert row.cells["M1"].paired is None


def test_another_set_of_items_is_not_compared():
    one, two = result("M0", {"piqa": range(4)}), result("M1", {"piqa": range(4)}, replace(SAME, prompts="30:bb"))
    with pytest.raises(UsageError, match=r"nlp \(piqa\) results differ in prompts \(40:aa against 30:bb\)"):
        compare_models(collect([one, two]), ["M1"], "M0")


def test_accuracy_by_length_is_the_headline_where_the_field_has_it():
    figures = {"acc,none": TaskMetric(0.1, None), "acc_norm,none": TaskMetric(0.2, None)}
    for task, head in (("arc_easy", "acc,none"), ("hellaswag", "acc_norm,none"), ("unknown", "acc,none")):
        assert retained.headline(TaskResult("M1", task, SAME, figures, {}, {}, {})) == head


def test_a_checkpoint_with_weights_missing_is_asked_nothing(tiny_model, run, tmp_path):
    """lm-eval would take it, with random weights in their place."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_model, tmp_path / "holed")
    held = load_file(folder / "model.safetensors")
    held.pop("model.norm.weight")
    save_file(held, folder / "model.safetensors", {"format": "pt"})
    with (
        pytest.raises(ModelError, match=r"missing are 1 \(model\.norm\.weight\)"),
        _loaded(folder, "cpu", "float32", 1),
    ):
        pass


def test_a_stored_group_without_a_figure_does_not_poison_the_run():
    """Also one that was stored without its items and directions, as earlier versions did."""
    made = result("M1", {"piqa": range(9)})
    bare = TaskResult("M1", "group", SAME, {}, {"g_a": {"acc,none": TaskMetric(0.5, 0.1)}, "g_b": {}}, {}, {})
    found = compare_models(collect([replace(made, tasks=made.tasks | {"group": bare})]), ["M1"], "M1")
    assert [row.key for row in found.metrics] == ["nlp_piqa_acc", "nlp_piqa_word_perplexity", "nlp_g_a_acc"]
    assert any("lm-eval has no value for group as a whole" in one for one in found.captions)


def test_of_a_group_without_a_figure_the_tasks_are_compared_by_their_items():
    def of(model, right):
        rows = [{"doc_id": n, "filter": "none", "metrics": ["acc"], "acc": float(n < right)} for n in range(40)]
        found = {
            "results": {"g": {"alias": "g"}, "a": {"acc,none": right / 40}},
            "samples": {"a": rows},
            "higher_is_better": {"g": {"acc": True}, "a": {"acc": True}},
        }
        return NlpResult(model, f"{model}:float32", {"g": task_result(model, "g", SAME, found)})

    found = compare_models(collect([of("M0", 40), of("M1", 10)]), ["M1"], "M0")
    (row,) = found.metrics
    assert (row.key, row.better, row.cells["M1"].paired.losses) == ("nlp_a_acc", "more", 30)
