"""The page of other tools' files: comparisons and counts, and no link to samples, of which files have none."""

import pytest

from evals.compare.sources import load_sources
from evals.report.files_page import write_files_report
from helpers.annotation_files import annotations

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")


@pytest.fixture
def written(tmp_path):
    words = [
        str(annotations(tmp_path / "a.json", "one <b>", [1.2] * 20 + [None])),
        str(annotations(tmp_path / "b.json", "two", [1.9] * 21)),
    ]
    sources = load_sources(words, lambda: pytest.fail("no run is opened"))
    return write_files_report(sources, tmp_path / "page.html", baseline="one <b>").read_text(encoding="utf-8")


def test_the_page_has_the_comparison_and_the_counts(written):
    for part in ("report of files of results", "Win rates", "AlpacaEval&#39;s annotations", "without a preference"):
        assert part in written
    assert "two is significantly better than one &lt;b&gt; in win rate against the reference" in written
    assert "<b>" not in written


def test_nothing_leads_to_samples(written):
    assert 'href="#samples' not in written
    assert '<section id="samples" aria-labelledby="samples-title" hidden>' in written
