"""Record formats of other tools, recognised in error messages."""

import json

import pytest

from srlm.errors import DataError
from srlm.json_files import read_rows


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"a": {"0": "x", "1": "y"}, "b": {"0": "x", "1": "y"}}, "orient='columns'"),
        ({"x": {"a": 1}, "y": {"a": 2}}, "orient='index'"),
        ({"columns": ["a"], "index": [0], "data": [[1]]}, "orient='split'"),
        ({"schema": {"fields": []}, "data": [{"a": 1}]}, "orient='table'"),
        (
            {"annotations": [{"a": 1}, {"a": 2}]},
            r"'annotations' holds 2 records.*jq -c '.\[\"annotations\"\]\[\]' x.json",
        ),
        ({"rows": [{"row": {"a": 1}}], "features": []}, r"\[\]\.row' x.json"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "ShareGPT"),
        ({"messages": [{"role": "user", "content": "x"}]}, "a list of messages"),
        ({"prompt": "x", "completion": "y", "label": True}, "unpaired preferences"),
        ({"instruction": "x", "completions": [], "models": []}, "UltraFeedback"),
        ({"builder_name": "json", "splits": {}}, "dataset_info.json"),
        ({"message_tree_id": "x", "prompt": {}}, "oasst:FILE"),
    ],
)
def test_a_record_of_another_form_is_called_what_it_is(tmp_path, record, words):
    (tmp_path / "x.json").write_text(json.dumps(record, indent=1))
    (row,) = read_rows(tmp_path / "x.json")
    with pytest.raises(DataError, match=words):
        row.text("no such field")
