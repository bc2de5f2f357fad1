"""Recognition of other tools' record formats, for error messages: the format, and how to convert it.

Readers call it when a field is missing. Nothing is read here.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

_LOOKED_AT = 20
"""Maximum number of records of an object to look at."""


def looks_like(data: Any, path: Path) -> str:
    """Return a sentence on the format of a record and its conversion, after a blank; "" if it is unknown."""
    if not isinstance(data, Mapping) or not data:
        return ""
    hint = _table(data, path) or _conversation(data) or _known(data) or _wrapper(data, path)
    return f" {hint}" if hint else ""


def _table(data: Mapping[str, Any], path: Path) -> str | None:
    """Recognise the orients of pandas' to_json that are not lists of records."""
    orient = None
    values = [*islice(data.values(), _LOOKED_AT)]
    if isinstance(data.get("columns"), list) and isinstance(data.get("data"), list):
        orient = "split"
    elif isinstance(data.get("schema"), dict) and isinstance(data.get("data"), list):
        orient = "table"
    elif len(data) > 1 and all(isinstance(one, dict) and one for one in values):
        numbered = all(str(key).isdigit() for one in values for key in islice(one, _LOOKED_AT))
        orient = "columns" if numbered else "index"
        if orient == "index" and len({tuple(sorted(one)) for one in values}) > 2:  # records of one kind are alike
            return None
    if orient is None:
        return None
    command = (
        f"""python -c "import pandas; pandas.read_json({path.name!r}, orient={orient!r})"""
        """.to_json('records.jsonl', orient='records', lines=True)\""""
    )
    return f"It looks like pandas' JSON with orient={orient!r}. Turn it into records with: {command}"


def _conversation(data: Mapping[str, Any]) -> str | None:
    for name, form, keys in (("conversations", "ShareGPT's form", "from"), ("messages", "a list of messages", "role")):
        given = data.get(name)
        if isinstance(given, list) and given and isinstance(given[0], dict) and keys in given[0]:
            return (
                f"It has {form} ({name}). srlm judge FILE, seeds and prompts are read in it; elsewhere give the texts "
                "as fields of their own."
            )
    return None


def _known(data: Mapping[str, Any]) -> str | None:
    keys = data.keys()
    if "message_tree_id" in keys:
        return "It is Open Assistant's format; give it as oasst:FILE."
    if {"instruction", "completions"} <= keys or {"instruction", "generations"} <= keys:
        return (
            "It looks like UltraFeedback, whose answers have scores; give its binarized form (prompt, chosen, "
            "rejected), or instruction and answers with text and rank."
        )
    if {"prompt", "completion"} <= keys and isinstance(data.get("label"), bool):
        return "It looks like TRL's unpaired preferences, which label single answers; pairs have chosen and rejected."
    if {"features", "splits"} <= keys or "builder_name" in keys:
        return "It looks like dataset_info.json, which describes a data set but has no records."
    if {"chosen", "rejected"} <= keys and "prompt" not in keys:
        return (
            "It has pairs without a prompt: give it as a field prompt, or chosen and rejected as messages or as "
            "conversations with Human: and Assistant:."
        )
    if {"instruction", "output"} <= keys:
        return "It looks like Alpaca's form (instruction, input, output)."
    if keys == {"text"}:
        return "It looks like plain text to train on; instructions and answers are fields of their own here."
    return None


def _wrapper(data: Mapping[str, Any], path: Path) -> str | None:
    """Recognise an object that contains the records."""
    if {"instruction", "prompt", "id", "question_id"} & data.keys():  # it is a record itself
        return None
    for name, value in data.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value[:_LOOKED_AT]):
            inner = ".row" if name == "rows" and "row" in value[0] else ""
            return (
                f"It is one object, whose {str(name)[:40]!r} holds {len(value)} records. Take them out with: "
                f"jq -c '.[{_quoted(str(name)[:40])}][]{inner}' {path.name} > records.jsonl"
            )
    return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"'
