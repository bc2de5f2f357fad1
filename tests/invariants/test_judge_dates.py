"""What answers to the name of a server's judge may change: verdicts from different times are not compared."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

pytest.importorskip("openai")

from helpers.servers import serving


def test_verdicts_of_half_a_year_ago_are_not_compared_with_those_of_today(cli, own_run):
    today = datetime.now(UTC).date().isoformat()
    with serving() as server:
        judge = server.spec("openai", "judge")

        def evaluate(model):
            result = cli("eval", model, "--suite", "alpaca", "--judge", judge, "--limit", 4, *own_run.at)
            assert result.code == 0, result.err
            stored = own_run.folder / "evals" / "alpaca" / f"{model}.json"
            return json.loads(stored.read_text(encoding="utf-8"))["provenance"]["dates"]

        assert min(evaluate("M1")) >= today
        with closing(sqlite3.connect(own_run.folder / "ledger.sqlite")) as ledger:
            ledger.execute("UPDATE calls SET day = '2026-05-01'")
            ledger.commit()
        assert evaluate("M1") == ["2026-05-01", "2026-05-01"]  # out of the ledger: nobody was asked again
        assert min(evaluate("M2")) >= today
    refused = cli("compare", "M1", "M2", *own_run.at)
    assert refused.code == 2
    assert "alpaca results differ in dates (2026-05-01 against" in refused.errors[0]
    beside = cli("compare", "M1", "M2", "--allow-mismatch", "dates", *own_run.at)
    assert beside.code == 0, beside.err
    assert "Attention: these alpaca results differ in dates" in " ".join(beside.out.split())


def test_a_judge_that_is_a_checkpoint_has_no_dates(cli, own_run):
    result = cli("eval", "M1", "--suite", "alpaca", "--judge", "M2", "--limit", 3, *own_run.at)
    assert result.code == 0, result.err
    stored = own_run.folder / "evals" / "alpaca" / "M1.json"
    assert json.loads(stored.read_text(encoding="utf-8"))["provenance"]["dates"] is None
