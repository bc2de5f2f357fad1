"""Student's quantile against SciPy's."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from srlm.stats.student_t import student_quantile


@settings(max_examples=300, deadline=None)
@given(st.floats(0.001, 0.999), st.integers(1, 3_000))
@example(0.975, 1)
@example(0.975, 2)
@example(0.975, 3)
@example(0.5, 7)
@example(0.995, 1)
@example(0.975, 100_000)
def test_it_is_scipys(p, df):
    assert student_quantile(p, df) == pytest.approx(stdtrit(df, p), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("p", "df"), [(0, 3), (1, 3), (0.9, 0)])
def test_what_has_no_quantile_is_refused(p, df):
    with pytest.raises(ValueError, match="must be between"):
        student_quantile(p, df)
