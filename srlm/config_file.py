"""Configuration files: presets, user files, and changes on the command line (`--set`).

A preset is a YAML file in `srlm/presets`. A user's file has the same form, and may begin with `preset: NAME` to change
only some settings. `--set dpo.beta=0.2` changes one. The resolved configuration is written into the run.
"""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from srlm.config import TrainConfig
from srlm.errors import DataError, UnknownName, UsageError
from srlm.read_text import read_text
from srlm.read_yaml import SHOWN, NotYamlError, parse_yaml, shown
from srlm.renamed_settings import old_names, with_new_names

_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def preset_names() -> list[str]:
    """Return the names of srlm's presets."""
    return sorted(
        entry.name.removesuffix(".yaml") for entry in files("srlm.presets").iterdir() if entry.name.endswith(".yaml")
    )


def load_config(name_or_path: str, changes: list[str]) -> TrainConfig:
    """Load a preset or a YAML file, and apply `changes` such as "dpo.beta=0.2".

    Raises:
        UsageError: the preset or a key is unknown, or a value is out of range; the message has the key.
    """
    data = _read(name_or_path)
    for change in changes:
        _apply(data, change)
    if old := old_names(data):
        pairs = "; ".join(f"{before} is now {now}" for before, now in old.items())
        raise UsageError(f"Renamed settings: {pairs}. Use the new name in your file or in --set.")
    try:
        return TrainConfig.model_validate(data)
    except ValidationError as error:
        raise UsageError(_message(error)) from None


def _read(name_or_path: str, chain: tuple[str, ...] = ()) -> dict[str, Any]:
    path = Path(name_or_path)
    if name_or_path in chain:
        raise UsageError(f"{name_or_path} inherits from itself: {' -> '.join([*chain, name_or_path])}.")
    if path.suffix in {".yaml", ".yml"} or "/" in name_or_path:
        if not path.is_file():
            raise UsageError(f"{path} does not exist. Give a YAML file, or a preset: {', '.join(preset_names())}.")
        try:
            text, where = read_text(path), str(path)
        except DataError as error:
            raise UsageError(str(error)) from None
    elif name_or_path in preset_names():
        text, where = (files("srlm.presets") / f"{name_or_path}.yaml").read_text(encoding="utf-8"), name_or_path
    else:
        raise UnknownName("The preset", name_or_path, preset_names(), "A file of your own ends in .yaml.")
    try:
        data = parse_yaml(text)
    except NotYamlError as error:
        line = f", line {error.line}" if error.line else ""
        raise UsageError(f"{where}{line}: {error.problem}.") from None
    if not isinstance(data, dict):
        raise UsageError(f"{where}: a mapping of keys to values is expected.")
    found: dict[str, Any] = with_new_names(data) if _belongs_to_a_run(path) else data
    base = found.pop("preset", None)
    if not base:
        return found
    sibling = path.parent / str(base)
    of_base = str(sibling) if sibling.suffix in {".yaml", ".yml"} else str(base)
    return _merge(_read(of_base, (*chain, name_or_path)), found)


def _belongs_to_a_run(path: Path) -> bool:
    """Return True for a run's own run.yaml: a run of an earlier version is resumed by it, with that version's keys."""
    return path.name == "run.yaml" and (path.parent / "manifest.json").is_file()


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _apply(data: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {change!r:.200} is not of the form key=value, such as dpo.beta=0.2.")
    *sections, last = key.split(".")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise UsageError(f"--set {change!r:.200}: {section} is a value, not a section.")
    # YAML 1.1 reads 1e-6 as text, because it has no point, but learning rates are written this way.
    if _EXPONENT.fullmatch(value):
        data[last] = float(value)
        return
    try:
        data[last] = parse_yaml(value)
    except NotYamlError:
        data[last] = value  # text with a colon, or 2024-13-01


def _message(error: ValidationError) -> str:
    """Describe the first error with its key; for an unknown key, list those of its section."""
    first = error.errors(include_url=False)[0]
    parts = [str(part) for part in first["loc"]]
    key = ".".join(parts)
    if first["type"] == "extra_forbidden":
        model: Any = TrainConfig
        for part in parts[:-1]:
            if not part.isdecimal():  # a place in a list, whose items are of one class
                model = model.model_fields[part].annotation
                model = next(iter(get_args(model)), model)
        known = [".".join([*parts[:-1], name]) for name in model.model_fields]
        return str(UnknownName("The configuration key", key[:SHOWN], known))
    if key == "model" and first["type"] == "missing":
        return (
            "The configuration names no model. Add to your file: model: hf:OWNER/NAME, or a folder with a checkpoint; "
            "or give --set model=... (docs/howto/own_model.md)"
        )
    if first["type"] == "missing":
        return f"The configuration has no {key}, which is required."
    given = f", not {shown(first['input'])}" if parts and not isinstance(first["input"], dict) else ""
    message = first["msg"].removeprefix("Value error, ")
    return f"Configuration {key or 'as a whole'}: {message[0].lower()}{message[1:]}{given}."


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """List the keys in which two resolved configurations differ, as "dpo.beta 0.1 -> 0.2"."""
    found: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key} {before} -> {after}")
    return found
