"""Files of other tools, compared: the published figures come out, and what a file lacks is said."""

import gzip
import json
from pathlib import Path

import pytest

from evals.compare.comparison import compare_models
from evals.compare.import_results import read_results, result_file
from evals.results import collect
from evals.suites.alpaca.files import read_difficulties
from helpers.paths import SHARED_DATA
from srlm.errors import DataError, UsageError

DATA = SHARED_DATA
ALPACA, MT_BENCH = DATA / "alpaca_eval", DATA / "mt_bench"
needs_data = pytest.mark.skipif(not ALPACA.is_dir(), reason=f"needs AlpacaEval's and MT-Bench's files in {DATA}")
NULL = "NullModel"  # its file calls it otherwise


@pytest.fixture(scope="module")
def nine():
    """All nine models of the leaderboard, out of their files."""
    files = sorted((ALPACA / "annotations").glob("*.json.gz"))
    words = [f"{NULL}={file}" if file.name.startswith(NULL) else str(file) for file in files]
    found = read_results([result_file(word) for word in words])
    names = [name for (name,) in found.models]
    difficulties = read_difficulties(ALPACA / "df_gamed.csv")
    return compare_models(collect(found.results), names, "gpt-3.5-turbo-1106", settings=[difficulties])


def row(comparison, key):
    (found,) = [one for one in comparison.metrics if one.key == key]
    return found


@needs_data
def test_figures_are_those_of_the_leaderboard(nine):
    expected = json.loads((ALPACA / "expected_lc.json").read_text(encoding="utf-8"))
    expected = expected.get("models", expected)
    for key, name, near in (
        ("win_rate", "win_rate", 1e-6),
        ("discrete_win_rate", "discrete_win_rate", 1e-6),
        ("length_controlled_win_rate", "length_controlled_winrate", 0.2),
    ):
        for model, cell in row(nine, key).cells.items():
            if model == "text_davinci_001" and key.startswith("length"):
                continue  # the leaderboard takes the difficulties of other prompts for it: two of its rows are missing
            found = expected[model]
            published = found[name] if name in found else found["leaderboard"][name]
            assert 100 * cell.estimate.value == pytest.approx(published, abs=near), (model, key)


@needs_data
def test_a_prompt_that_a_file_lacks_is_not_a_smaller_benchmark(nine):
    assert row(nine, "judged").cells["text_davinci_001"].estimate.n == 805
    assert row(nine, "win_rate").cells["text_davinci_001"].paired.difference.n == 803
    assert any("2 of 805 prompts of text_davinci_001 have no preference" in line for line in nine.captions)


@needs_data
def test_the_null_model_is_not_believed(nine):
    assert nine.untrusted == {NULL: "it gave one and the same answer to 805 of 805 prompts"}
    assert [line for line in nine.conclusions if NULL in line] == [
        f"Do not trust the alpaca metrics of {NULL}: it gave one and the same answer to 805 of 805 prompts."
    ]


@needs_data
def test_models_are_ranked_by_both_rates(nine):
    raw, controlled = nine.extra_tables
    assert [raw.columns[0], controlled.columns[0]] == ["FuseChat-Gemma-2-9B-Instruct"] * 2
    assert raw.columns[1:3] == ["claude-2.1", "gpt-3.5-turbo-1106_verbose"]
    assert len(raw.columns) == len(controlled.columns) == 8
    verbose, plain = (controlled.metrics[0].cells[f"gpt-3.5-turbo-1106{kind}"].estimate for kind in ("_verbose", ""))
    assert verbose.low <= plain.high  # asked to write more, a model is better by raw rate only
    assert all(side.captions[0].endswith(f"Not ranked: {NULL}.") for side in nine.extra_tables)


@needs_data
def test_length_controlled_differences_are_paired(nine):
    cells = row(nine, "length_controlled_win_rate").cells
    concise = cells["gpt-3.5-turbo-1106_concise"]
    difference, baseline = concise.paired.difference, cells[nine.baseline].estimate
    assert difference.value == pytest.approx(concise.estimate.value - baseline.value)
    unpaired = ((concise.estimate.high - concise.estimate.low) ** 2 + (baseline.high - baseline.low) ** 2) ** 0.5
    assert difference.high - difference.low < 0.98 * unpaired


@needs_data
def test_published_judgements_of_mt_bench_are_compared():
    files = sorted((MT_BENCH / "model_judgment").glob("*.jsonl*"))
    found = read_results([result_file(str(file)) for file in files])
    expected = json.loads((MT_BENCH / "expected_scores.json").read_text(encoding="utf-8"))["models"]
    models = [name for names in found.models for name in names]
    compared = compare_models(collect(found.results), models, models[0])
    for model, scores in expected.items():
        assert row(compared, "mt_bench").cells[model].estimate.value == scores["overall"]
    assert compared.extra_tables[0].columns[0] == max(expected, key=lambda model: expected[model]["overall"])


# --- files of one's own -----------------------------------------------------------------------------------------------


def annotation(number, preference=1.5, **more):
    return {
        "instruction": f"Question {number}?",
        "output_1": f"Reference {number}.",
        "generator_1": "reference",
        "output_2": f"Answer {number}.",
        "generator_2": "model",
        "annotator": "judge",
        "preference": preference,
    } | more


def written(path, records):
    text = json.dumps(records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return ResultWords(path)


class ResultWords(str):
    """A path as a word of the command line."""

    def __new__(cls, path):
        return super().__new__(cls, str(path))


def read(*words):
    return read_results([result_file(word) for word in words])


def test_what_is_a_file_and_what_a_model(tmp_path):
    path = written(tmp_path / "a=b.json.gz", [annotation(1)])
    assert result_file("M1") is None
    assert result_file("openai:gpt-4o") is None
    assert result_file("hf:org/name") is None
    assert (result_file(path).path, result_file(path).name) == (Path(path), None)
    assert (result_file(f"M1={path}").path, result_file(f"M1={path}").name) == (Path(path), "M1")
    assert result_file("M1=nowhere.json").name == "M1"  # said to be missing when it is read
    with pytest.raises(DataError, match="there is no such file"):
        read("M1=nowhere.json")


def test_files_of_other_prompts_or_other_references_are_not_one_benchmark(tmp_path):
    one = written(tmp_path / "one.json", [annotation(n) for n in range(4)])
    part = written(tmp_path / "part.json", [annotation(n, generator_2="part") for n in range(1, 4)])
    other = written(tmp_path / "other.json", [annotation(n + 2, generator_2="other") for n in range(4)])
    longer = [annotation(n, generator_2="longer", output_1="A longer reference.") for n in range(4)]
    third = written(tmp_path / "third.json", longer)
    first, within, apart, unlike = (found.provenance.prompts for found in read(one, part, other, third).results)
    assert first == within
    assert len({first, apart, unlike}) == 3
    assert read(one).results[0].outcomes == read(part, one).results[1].outcomes


def test_a_model_twice_and_a_file_of_something_else_are_refused(tmp_path):
    one = written(tmp_path / "one.json", [annotation(1)])
    with pytest.raises(UsageError, match=r"Two files are AlpacaEval's annotations of model\. .*NAME=FILE"):
        read(one, str(tmp_path / "one.json"))
    assert [found.model for found in read(one, f"again={one}").results] == ["model", "again"]
    for records in ([{"question": "?"}], {"results": {}}, [{"question_id": 1, "score": 2}]):
        with pytest.raises(DataError, match="no file of results that srlm knows"):
            read(written(tmp_path / "else.json", records))
    broken = written(tmp_path / "broken.json", {"results": {"arc": {}}, "configs": {}})
    with pytest.raises(DataError, match=r"broken.json: does not say of which model it is.* NAME=broken.json"):
        read(broken)


# --- files of other tools ---------------------------------------------------------------------------------------------


def lm_eval(**more):
    """What lm-eval writes: a group without a value of its own, and a task next to it."""
    return {
        "results": {
            "group": {"alias": "group"},
            "piqa": {"acc,none": 0.5, "acc_stderr,none": 0.1},
            "arc_easy": {"acc,none": 0.4, "acc_stderr,none": "N/A"},
        },
        "group_subtasks": {"group": ["piqa"]},
        "configs": {},
        "versions": {"piqa": 1.0, "arc_easy": 1.0},
        "n-shot": {"piqa": 0, "arc_easy": 0},
        "higher_is_better": {"piqa": {"acc": True}, "arc_easy": {"acc": True}},
        "n-samples": {name: {"effective": 4} for name in ("piqa", "arc_easy")},
        "config": {"batch_size": 1},
        "lm_eval_version": "0.4.13",
        "model_name": "m",
    } | more


def one_model(word):
    found = read(word)
    names = [name for (name,) in found.models]
    return compare_models(collect(found.results), names, names[0])


def test_a_group_without_a_figure_makes_room_for_its_tasks(tmp_path):
    found = one_model(written(tmp_path / "r.json", lm_eval()))
    assert [one.key for one in found.metrics] == ["nlp_arc_easy_acc", "nlp_piqa_acc"]
    nested = lm_eval(group_subtasks={"all": ["group"], "group": ["piqa"]})
    nested["results"] |= {"all": {"alias": "all"}}
    assert [one.key for one in one_model(written(tmp_path / "n.json", nested)).metrics] == [
        "nlp_arc_easy_acc",
        "nlp_piqa_acc",
    ]


@pytest.mark.parametrize("odd", [[], None, "N/A", "0.5", float("nan"), float("inf"), 10**400, {}])
def test_a_figure_that_is_no_number_is_undefined_and_the_others_are_compared(tmp_path, odd):
    made = lm_eval()
    made["results"]["piqa"] |= {"f1,none": odd, "f1_stderr,none": odd, "acc_stderr,none": odd}
    found = one_model(written(tmp_path / "r.json", made))
    assert [one.key for one in found.metrics] == ["nlp_arc_easy_acc", "nlp_piqa_acc"]
    other = written(tmp_path / "o.json", lm_eval(model_name="o"))
    made["results"]["piqa"] |= {"acc,none": odd, "f1,none": 0.5}
    both = read(written(tmp_path / "r.json", made), other)
    compared = compare_models(collect(both.results), ["m", "o"], "m")
    assert [one.key for one in compared.metrics] == ["nlp_arc_easy_acc"]
    assert any("Not every model has a value of PIQA, acc; PIQA, f1: left out." in one for one in compared.captions)


def test_results_of_older_versions_are_read_with_a_name(tmp_path):
    made = lm_eval()
    for new in ("model_name", "higher_is_better", "n-samples", "lm_eval_version"):
        del made[new]
    old = written(tmp_path / "old.json", made)
    with pytest.raises(DataError, match=r"lm-eval before 0\.4\.3 did not write it.*NAME=old\.json"):
        read(old)
    found = one_model(f"X={old}")
    assert [(one.key, one.better) for one in found.metrics] == [("nlp_arc_easy_acc", "more"), ("nlp_piqa_acc", "more")]
    oldest = {
        "results": {"piqa": {"acc": 0.5, "acc_stderr": 0.1}},
        "versions": {"piqa": 0},
        "config": {"model": "gpt2"},
    }
    found = one_model(f"X={written(tmp_path / 'oldest.json', oldest)}")
    assert [(one.key, one.cells["X"].estimate.value) for one in found.metrics] == [("nlp_piqa_acc", 0.5)]


def test_a_group_that_is_a_part_of_itself_is_refused(tmp_path):
    with pytest.raises(DataError, match="a group is a part of itself"):
        read(written(tmp_path / "r.json", lm_eval(group_subtasks={"group": ["piqa"], "piqa": ["piqa"]})))


def test_a_folder_of_results_is_answered_with_the_files_in_it(tmp_path):
    (tmp_path / "out" / "org__model").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    file = written(tmp_path / "out" / "org__model" / "results_2026-01-01.json", lm_eval())
    for word in (str(tmp_path / "out"), f"X={tmp_path / 'out'}"):
        with pytest.raises(DataError, match=f"is a folder; name the file in it, such as {file}"):
            read(word)
    assert result_file(str(tmp_path / "empty")) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"annotations": [annotation(1)]}, "'annotations' holds 1 records"),
        (
            {"config_general": {}, "results": {"all": {}}, "versions": {}, "config": {}},
            "looks like a file of lighteval",
        ),
        ({"eval": {}, "status": "success", "results": {"scores": []}}, "looks like a file of Inspect"),
        ({"model": "m", "model_type": "x", "easy": 0.5}, "looks like a file of RewardBench"),
        ([{"instruction": "x", "output": "y", "generator": "m"}], "srlm judge FILE"),
    ],
)
def test_files_of_other_tools_are_called_so(tmp_path, data, words):
    (tmp_path / "x.json").write_text(json.dumps(data, indent=2))
    with pytest.raises(DataError, match=rf"is no file of results that srlm knows: .*{words}"):
        read(str(tmp_path / "x.json"))


def test_a_key_twice_in_an_annotation_is_refused(tmp_path):
    (tmp_path / "x.json").write_text(
        json.dumps([annotation(1)]).replace('"preference"', '"preference": 2, "preference"')
    )
    with pytest.raises(DataError, match="the key 'preference' is repeated"):
        read(str(tmp_path / "x.json"))
