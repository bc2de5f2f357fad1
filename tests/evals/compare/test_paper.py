"""The published figures: each table has a source, and what arithmetic can check of them holds."""

import csv
import io
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.optimize import minimize

from evals.compare import paper
from evals.compare.comparison import Comparison, compare_models
from evals.compare.export.csv import as_csv
from evals.compare.export.json import as_json
from evals.compare.export.markdown import as_markdown
from evals.compare.paper import (
    FOLDER,
    PACKAGED,
    PLACES,
    Table,
    add_paper_values,
    load_table,
    pair_count,
    pair_score,
    reference,
    table_names,
)
from evals.compare.terminal import as_tables
from evals.metric import Cell, ExtraTable, Metric, ModelPair
from evals.results import collect
from evals.suites.mt_bench.grades import GROUPS
from helpers.results import alpaca, reward
from srlm.errors import DataError, UnknownName
from srlm.stats.intervals import wilson
from srlm.stats.paired import sign_test
from srlm.stats.reward_model import Ranked

WIN_TIE_LOSS = ("figure-3", "figure-5", "figure-8")
COMPOSITION = ("table-6", "table-7", "table-8")


def rows(name, by="model"):
    return {row[by]: row for row in load_table(name).rows}


@pytest.mark.parametrize("name", table_names())
def test_every_table_says_where_it_stands(name):
    source = load_table(name).source
    assert source.where
    assert source.version
    assert source.arxiv == "2401.10020" or "alpaca_eval" in source.paper
    assert load_table(name).rows


def test_no_number_in_the_readme_is_without_its_file():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in table_names())


@pytest.mark.parametrize("name", WIN_TIE_LOSS)
def test_counts_give_the_percentages_and_no_other_counts_do(name):
    n = load_table(name).n
    for row in load_table(name).rows:
        assert row["win"] + row["tie"] + row["loss"] == n
        for what in ("win", "tie", "loss"):
            fitting = [count for count in range(n + 1) if abs(100 * count / n - row[f"{what}_pct"]) < 0.0501]
            assert fitting == [row[what]]
        assert sign_test(row["win"], row["loss"]) == pytest.approx(row["sign_p"], rel=0.05)


@pytest.mark.parametrize("name", WIN_TIE_LOSS)
def test_counts_are_ours_and_percentages_the_papers(name):
    columns = load_table(name).columns
    assert {columns[what].status for what in ("win", "tie", "loss")} == {"derived"}
    assert {columns[f"{what}_pct"].status for what in ("win", "tie", "loss")} == {"printed"}


def test_the_scores_of_figure_3_follow_from_its_counts():
    counts = {(row["left"], row["right"]): row for row in load_table("figure-3").rows}
    for row in load_table("figure-3-scores").rows:
        one = counts[row["left"], row["right"]]
        values = np.repeat([1.0, 0.5, 0.0], [one["win"], one["tie"], one["loss"]])
        half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
        assert (row["score"], row["low"], row["high"]) == pytest.approx(
            (values.mean(), values.mean() - half, values.mean() + half), abs=0.0016
        )


def test_the_ratings_of_figure_3_follow_from_its_counts():
    models = ["SFT", "M1", "M2", "M3"]
    pairs = [
        (
            models.index(row["left"]),
            models.index(row["right"]),
            row["win"] + row["tie"] / 2,
            row["loss"] + row["tie"] / 2,
        )
        for row in load_table("figure-3").rows
    ]

    def loss(free):
        elo = np.array([0.0, *free]) * np.log(10) / 400
        return sum(
            won * np.logaddexp(0, elo[b] - elo[a]) + lost * np.logaddexp(0, elo[a] - elo[b])
            for a, b, won, lost in pairs
        )

    fitted = minimize(loss, np.zeros(3)).x
    assert [rows("figure-3-elo")[model]["elo"] for model in models] == pytest.approx([0, *fitted], abs=0.6)


def test_categories_give_the_overall_grade_and_the_groups():
    for model, row in rows("table-10").items():
        overall = rows("table-2")[model]
        grades = {name: row[name] for names in GROUPS.values() for name in names}
        assert np.mean(list(grades.values())) == pytest.approx(overall["overall"], abs=0.00501)
        for group, members in GROUPS.items():
            assert np.mean([grades[name] for name in members]) == pytest.approx(overall[group], abs=0.00501)


@pytest.mark.parametrize("name", COMPOSITION)
def test_compositions_add_up_and_only_what_was_seen_is_printed(name):
    found = load_table(name)
    assert sum(row["count"] for row in found.rows) == found.n == 805
    for row in found.rows:
        assert row["pct"] == pytest.approx(100 * row["count"] / found.n, abs=0.00501)
    seen = {"table-6": 3, "table-7": 0, "table-8": 2}[name]
    assert sum(found.status(row, "count") == "printed" for row in found.rows) == seen


def test_steps_and_instructions_are_marked_as_our_arithmetic():
    found = rows("sizes", "key")
    value = {key: row["value"] for key, row in found.items()}
    assert [round(value["aift_m1"] / 16), round(value["aift_m2"] / 16)] == [
        value["dpo_steps_m2"],
        value["dpo_steps_m3"],
    ]
    assert (
        round(value["eft_validation"] / value["ranked_answers_per_instruction"]) == value["eft_validation_instructions"]
    )
    derived = {key for key, row in found.items() if load_table("sizes").status(row, "value") == "derived"}
    assert derived == {"dpo_steps_m2", "dpo_steps_m3", "eft_validation_instructions"}


def test_the_errors_that_are_often_told_are_not_here():
    value = {key: row["value"] for key, row in rows("sizes", "key").items()}
    assert (value["eft_train"], value["eft_validation"]) == (1630, 541)
    judges = rows("table-4")
    assert (judges["SFT"]["pairwise_accuracy"], judges["M1"]["pairwise_accuracy"]) == (65.1, 78.7)
    assert judges["M3"]["five_best"] < judges["M2"]["five_best"]
    assert max(rows("table-7", "complexity").values(), key=lambda row: row["count"])["complexity"] == 3
    assert load_table("alpaca-lengths").columns["length"].unit == "characters"
    assert "length_controlled_win_rate" not in load_table("table-1").columns


def test_the_other_models_of_table_1_are_on_the_leaderboard():
    paper, leaderboard = rows("table-1"), rows("alpaca-leaderboard")
    assert paper.keys() - leaderboard.keys() == {"M1", "M2", "M3"}
    changed = {model for model in leaderboard if paper[model]["win_rate"] != leaderboard[model]["win_rate"]}
    assert changed == {"Gemini Pro", "GPT 3.5 Turbo 0613", "LLaMA2 Chat 70B"}


# --- references -------------------------------------------------------------------------------------------------------


def test_a_reference_is_in_our_unit_and_of_models_of_the_papers_names():
    assert reference("win_rate", ["SFT", "M1", "mine"]).values == pytest.approx({"M1": 0.0994})
    assert reference("length", ["M3"]).values == {"M3": 2552}
    assert reference("mt_bench_math", ["SFT"]).values == {"SFT": 3.0}
    assert reference("nlp_gsm8k_exact_match_strict-match", ["M0"]).values == pytest.approx({"M0": 0.568})
    assert reference("win_rate", ["SFT", "mine"]) is None
    assert reference("rm_ties", ["M1"]) is None


@pytest.mark.parametrize("metric", PLACES)
def test_every_place_is_printed_for_the_three_models(metric):
    found = reference(metric, ["M1", "M2", "M3"])
    assert found is not None
    assert list(found.values) == ["M1", "M2", "M3"]


def test_what_is_unverified_is_never_a_reference():
    row = {"model": "M1", "win": 50.0, "status": "unverified"}
    columns = {"model": {"unit": "name", "status": "printed"}, "win": {"unit": "percent", "status": "printed"}}
    source = {"paper": "p", "version": "v", "where": "w"}
    found = Table.model_validate_json(json.dumps({"what": "w", "source": source, "columns": columns, "rows": [row]}))
    assert found.printed("win") == {}
    seen = found.model_copy(update={"rows": ({"model": "M1", "win": 50.0},)})
    assert seen.printed("win") == {"M1": 50.0}


@pytest.fixture
def comparison():
    models = ("SFT", "M1", "mine")
    group = Ranked((0, 1), (5.0, 2.0), (10, 20))
    results = collect(
        [alpaca(model, [0.1, 0.9, 0.5, 0.3]) for model in models] + [reward(model, group) for model in models]
    )
    return compare_models(results, models, "SFT")


def test_the_papers_figures_are_next_to_ours_in_every_format(comparison):
    extended = add_paper_values(comparison)
    assert [(one.key, one.cells) for one in extended.metrics] == [(one.key, one.cells) for one in comparison.metrics]
    assert "Not comparable one to one" in extended.captions[-1]
    markdown = as_markdown(extended).split("\n")
    assert "| *the paper's, Table 1* | - | 9.94 | - |" in markdown
    assert "| *the paper's, Table 4* | 65.1 | 78.7 | - |" in markdown
    found = {(row["metric"], row["model"]): row for row in csv.DictReader(io.StringIO(as_csv(extended)))}
    assert float(found["win_rate", "M1"]["paper"]) == pytest.approx(0.0994)
    assert found["win_rate", "M1"]["paper_where"] == "Table 1"
    assert found["win_rate", "mine"]["paper"] == found["judged", "M1"]["paper_where"] == ""
    data = {one["key"]: one for one in json.loads(as_json(extended))["metrics"]}
    assert data["rm_spearman"]["paper"] == {"where": "Table 4", "models": {"SFT": 0.253, "M1": 0.279}}
    assert "paper" not in data["judged"]
    (shown,) = as_tables(extended, 400)
    cells = {label: list(column.cells) for label, column in zip(("", *extended.models), shown.columns, strict=True)}
    place = next(i for i, label in enumerate(cells[""]) if label.startswith("win rate"))
    lines = {name: column[place].split("\n") for name, column in cells.items()}
    assert lines[""][2] == "  the paper's, Table 1"
    assert (lines["SFT"][1:], lines["M1"][2], lines["mine"][2]) == (["", "-"], "9.94", "-")


def test_figures_of_pairs_are_derived_and_can_be_turned():
    assert (pair_score("M2", "SFT"), pair_score("SFT", "M2")) == (0.674, 0.326)
    assert [pair_count("SFT", "M2", what) for what in ("win", "tie", "loss")] == [37, 93, 126]
    assert pair_score("M2", "mine") is None
    assert pair_count("M2", "mine", "win") is None


def test_pairs_are_next_to_the_papers_pairs():
    half = {"SFT": Cell(wilson(1, 2)), "M2": Cell(wilson(1, 2)), "mine": Cell(wilson(1, 2))}
    rows = [Metric(key, key, "%", "more", half) for key in ("head_to_head", "head_to_head_elo")]
    pairs = {str(pair): pair for pair in (ModelPair("SFT", "M2"), ModelPair("mine", "SFT"))}
    cells = dict.fromkeys(pairs, Cell(wilson(1, 2)))
    metrics = [Metric(key, key, "%", "more", cells) for key in ("pair_wins", "pair_score", "pair_p")]
    side = ExtraTable("pairs", [*pairs], metrics, pairs=pairs)
    extended = add_paper_values(Comparison(list(half), "SFT", rows, [], [], [side]))
    scores, elo = (one.paper for one in extended.metrics)
    assert (scores.where, scores.values) == ("derived from Figure 3", {"M2": 0.674})
    assert elo.values == {"SFT": 0, "M2": 124}
    assert [one.paper and one.paper.values for one in extended.extra_tables[0].metrics] == [
        {"SFT : M2": 37},
        {"SFT : M2": 0.326},
        None,
    ]
    turned = add_paper_values(Comparison(["M2", "SFT"], "M2", rows, [], []))
    assert turned.metrics[1].paper.values == {"M2": 0, "SFT": -124}


def test_without_a_reference_nothing_is_added(comparison):
    assert "paper" not in as_csv(comparison) + as_json(comparison) + as_markdown(comparison)


def test_models_of_other_names_are_told_that_the_paper_has_none(comparison):
    results = collect([alpaca("mine", [0.1, 0.9])])
    extended = add_paper_values(compare_models(results, ["mine"], "mine"))
    assert not any(one.paper for one in extended.metrics)
    assert "no values of these metrics" in extended.captions[-1]


# --- the files --------------------------------------------------------------------------------------------------------


def test_a_wheel_carries_the_tables_where_they_are_looked_for():
    root = Path(paper.__file__).parents[2]
    build = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["force-include"] == {"results/published": f"evals/{PACKAGED}"}
    assert "results/published" in build["targets"]["sdist"]["include"]


def test_a_name_that_is_none_and_a_file_that_is_damaged_are_named(tmp_path, monkeypatch):
    with pytest.raises(UnknownName, match="table-4"):
        load_table("table-44")
    good = yaml.safe_load((FOLDER / "table-4.yaml").read_text(encoding="utf-8"))
    damaged = {
        "unit": good | {"columns": good["columns"] | {"spearman": {"unit": "apples", "status": "printed"}}},
        "short": good | {"rows": [{"model": "M1"}]},
        "text": good | {"rows": [good["rows"][0] | {"spearman": "high"}]},
        "status": good | {"rows": [good["rows"][0] | {"status": "rumoured"}]},
        "source": {key: value for key, value in good.items() if key != "source"},
    }
    monkeypatch.setattr(paper, "_folder", lambda: tmp_path)
    for name, data in damaged.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
        with pytest.raises(DataError, match=f"{name}.yaml"):
            load_table(name)
    (tmp_path / "cut.yaml").write_text("rows: [{", encoding="utf-8")
    with pytest.raises(DataError, match="is not YAML"):
        load_table("cut")
