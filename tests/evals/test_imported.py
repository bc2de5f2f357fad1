"""Files of other tools, compared: the published figures come out, and what a file lacks is said."""

import gzip
import json
from pathlib import Path

import pytest

from evals.alpaca_files import read_gamed
from evals.comparison import compare_models
from evals.imported.files import read_results, result_file
from evals.results import gathered
from srlm.errors import DataError, UsageError

DATA = Path(__file__).parents[3] / "shared" / "data"
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
    gamed = read_gamed(ALPACA / "df_gamed.csv")
    return compare_models(gathered(found.results), names, "gpt-3.5-turbo-1106", gamed=gamed)


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
    assert nine.distrusted == {NULL: "it gave one and the same answer to 805 of 805 prompts"}
    assert [line for line in nine.words if NULL in line] == [
        f"Do not trust the alpaca figures of {NULL}: it gave one and the same answer to 805 of 805 prompts."
    ]


@needs_data
def test_models_are_ranked_by_both_rates(nine):
    raw, controlled = nine.sides
    assert [raw.columns[0], controlled.columns[0]] == ["FuseChat-Gemma-2-9B-Instruct"] * 2
    assert raw.columns[1:3] == ["claude-2.1", "gpt-3.5-turbo-1106_verbose"]
    assert len(raw.columns) == len(controlled.columns) == 8
    verbose, plain = (controlled.metrics[0].cells[f"gpt-3.5-turbo-1106{kind}"].estimate for kind in ("_verbose", ""))
    assert verbose.low <= plain.high  # asked to write more, a model is better by raw rate only
    assert all(side.captions[0].endswith(f"Not ranked: {NULL}.") for side in nine.sides)


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
    compared = compare_models(gathered(found.results), models, models[0])
    for model, scores in expected.items():
        assert row(compared, "mt_bench").cells[model].estimate.value == scores["overall"]
    assert compared.sides[0].columns[0] == max(expected, key=lambda model: expected[model]["overall"])


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
