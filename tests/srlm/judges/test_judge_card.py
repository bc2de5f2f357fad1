"""Judge cards: stored, found, and read when an older version wrote them."""

import json
from dataclasses import asdict

import pytest
from pydantic import TypeAdapter

from helpers.card_judges import EXPECTED, SAMPLED, Judge, always_first, card, rank_of, right
from srlm.errors import DataError
from srlm.jsonl import with_nan, without_nan
from srlm.judges.judge_card import JudgeCard, find_judge_card, store_card
from srlm.judges.judge_card_output import card_words
from srlm.stats.intervals import Estimate


def test_the_caption_has_words_where_there_is_no_figure(ledger):
    assert "nan" not in card(always_first, ledger).caption()


def test_a_card_goes_to_json_and_back(ledger, tmp_path):
    found = card(Judge(always_first, rank_of), ledger, pointwise=SAMPLED)
    path = store_card(tmp_path / "ledger.sqlite", found)
    assert path.parent == tmp_path / "cards"
    assert "NaN" not in path.read_text(encoding="utf-8")
    data = with_nan(json.loads(path.read_text(encoding="utf-8")))
    assert repr(TypeAdapter(JudgeCard).validate_python(data)) == repr(found)


def test_a_card_of_an_older_version_still_loads():
    one = asdict(Estimate(0.5, 0.4, 0.6, 60, 30))
    names = ("agreement", "consistency", "first_position", "longer_preferred")
    old = {"judge": "j", "rubric": "pairwise:0", **dict.fromkeys(names, one), "read": 1.0}
    found = TypeAdapter(JudgeCard).validate_python(with_nan(old))
    assert found.weak
    assert "the longer one in 50 % [40, 60]; 100%" in found.caption()
    assert (found.scores, found.pairs, found.labelled) == (None, 0, "")
    assert "nan" not in f"{card_words(found)}"
    json.dumps(without_nan(asdict(found)), allow_nan=False)


def test_the_card_that_fits_is_found(ledger, tmp_path):
    place = tmp_path / "ledger.sqlite"
    judge = Judge(right, rank_of)
    small = card(judge, ledger, limit=5, pointwise=SAMPLED)
    large = card(judge, ledger, limit=20, pointwise=SAMPLED)
    for one in (large, small, card(judge, ledger, limit=30, pointwise=EXPECTED)):
        store_card(place, one)
    assert len(list((tmp_path / "cards").iterdir())) == 3
    label = SAMPLED.rubric.label
    _, found = find_judge_card(place, judge.identity, label, "sampled x 2")
    assert found.pairs == 20
    assert find_judge_card(place, judge.identity, label, "sampled x 3") is None
    assert find_judge_card(place, "another", label, "sampled x 2") is None
    assert find_judge_card(tmp_path / "elsewhere" / "ledger.sqlite", judge.identity, label, "sampled x 2") is None


def test_a_card_measured_again_takes_the_place_of_the_old_one(ledger, tmp_path):
    found = card(Judge(right, rank_of), ledger, pointwise=SAMPLED)
    assert store_card(tmp_path / "l", found) == store_card(tmp_path / "l", found)


def test_a_damaged_card_is_named(tmp_path):
    path = tmp_path / "cards" / "x.json"
    path.parent.mkdir()
    path.write_text('{"judge": "x"}', encoding="utf-8")
    with pytest.raises(DataError, match=r"x\.json.*Delete it"):
        find_judge_card(tmp_path / "ledger.sqlite", "i", "r", "s")


def test_names_of_judges_are_safe_as_file_names(ledger, tmp_path):
    judge = Judge(right, rank_of, name="openai:a/b@http://127.0.0.1:8000/v1")
    path = store_card(tmp_path / "ledger.sqlite", card(judge, ledger, limit=4))
    assert path.parent == tmp_path / "cards"
