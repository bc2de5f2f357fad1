"""Write docs/reference/settings.md from the fields of the configuration; `--check` fails if the page is out of date."""

import sys
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from srlm.config import TrainConfig
from srlm.config.section import Section

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
HEAD = """# Settings

This page is written by `python tools/settings_reference.py` from `srlm/config/`, and `make check` compares the two.

Put settings into a YAML file (`srlm train my.yaml`; begin it with `preset: quickstart` to change only some), or change
one on the command line: `srlm train --set dpo.beta=0.2`. Unknown keys are refused. The defaults are the paper's where
it says; the preset `quickstart` overrides what must be small to fit a laptop.
"""


def rows(model: type[BaseModel], defaults: BaseModel | None, prefix: str = "") -> list[str]:
    """Table rows of a section, and below it those of its sections. `defaults`: the section as its parent has it."""
    found: list[str] = []
    sections: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            about = (kind.__doc__ or "").strip().splitlines()[0]
            note = f" {field.description[0].upper()}{field.description[1:]}." if field.description else ""
            sections += [
                "",
                f"## {prefix}{name}",
                "",
                f"{about}{note}",
                "",
                *TABLE,
                *rows(kind, field.default, f"{prefix}{name}."),
            ]
            continue
        value = getattr(defaults, name) if defaults else field.default
        default = "needed" if value is PydanticUndefined else f"`{value}`"
        choices = [str(one) for one in get_args(kind) if isinstance(one, str)]
        unsaid = choices and not any(one in str(field.description) for one in choices)
        allowed = f" ({' or '.join(choices)})" if unsaid else ""
        found.append(f"| `{prefix}{name}` | {default} | {field.description}{allowed} |")
    return found + sections


TABLE = ["| setting | default | what it is |", "|---|---|---|"]


def main() -> int:
    """Write or compare the page."""
    text = "\n".join([HEAD, *TABLE, *rows(TrainConfig, None)]) + "\n"
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") != text:
        print("docs/reference/settings.md is out of date: run python tools/settings_reference.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
