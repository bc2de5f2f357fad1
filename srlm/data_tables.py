"""Records of any file of data: JSON and JSON Lines, CSV, Parquet; and of data sets on the Hub. Each with its position.

A cell without a value is left out of its record, as is a field with null. CSV is read as text: no cell becomes a number
or "not a number". Parquet and the Hub need libraries of the extra `train`, which are imported only for them.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from srlm.errors import DataError
from srlm.json_files import Row, read_rows
from srlm.optional_deps import require
from srlm.read_text import opened, read_text

HUB = "hf:"
"""Prefix of a data set on the Hub: hf:OWNER/NAME, or hf:OWNER/NAME:SPLIT."""
SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
"""Ends of the names of files of data."""
_PARQUET = b"PAR1"
_DEFAULT_SPLIT = "train"
_LISTED_SPLITS = 20


def table_rows(source: str, columns: frozenset[str]) -> Iterator[Row]:
    """Yield the records of a data set on the Hub (`hub_rows`) if the source has its prefix, else of a file."""
    return hub_rows(source, columns) if source.startswith(HUB) else file_rows(Path(source).expanduser(), columns)


def file_rows(path: Path, columns: frozenset[str]) -> Iterator[Row]:
    """Yield the records of a file: Parquet by its content, CSV and TSV by their names, any other as JSON.

    Args:
        path: the file; CSV and JSON may be compressed with gzip.
        columns: columns of Parquet to read; others, which may hold pictures or sound, are not.

    Raises:
        DataError: the file is missing, empty or malformed; the message has the position.
        MissingDependency: it is Parquet, and pyarrow is not installed.
    """
    with opened(path) as file:
        binary = file.read(len(_PARQUET)) == _PARQUET
    if binary:
        return _parquet_rows(path, columns)
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        return _csv_rows(path, "\t" if name.endswith(".tsv") else ",")
    return map(_without_nulls, read_rows(path))


def _without_nulls(row: Row) -> Row:
    return replace(row, data={name: value for name, value in row.data.items() if value is not None})


def _csv_rows(path: Path, delimiter: str) -> Iterator[Row]:
    lines = csv.reader(StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    begins = 1
    try:
        for cells in lines:
            if header is None and cells:
                header = [cell.strip() for cell in cells]
                if len({*header}) < len(header):
                    raise DataError(path, "two columns have the same name.", begins)
            elif header is not None and cells:
                if len(cells) != len(header):
                    problem = f"has {len(cells)} cells, and the first line has {len(header)}. Quote cells with commas."
                    raise DataError(path, problem, begins)
                yield Row(path, "line", begins, {name: cell for name, cell in zip(header, cells, strict=True) if cell})
            begins = lines.line_num + 1
    except csv.Error as error:
        raise DataError(path, f"is not CSV ({error}).", begins) from None
    if header is None:
        raise DataError(path, "is empty: a line with the names of the columns is expected.")


def _parquet_rows(path: Path, columns: frozenset[str]) -> Iterator[Row]:
    require("pyarrow", "Reading Parquet", "train")
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            known = _known_columns(path, file.schema_arrow.names, columns)
            batches = (batch.to_pylist() for batch in file.iter_batches(columns=known))
            yield from _numbered(path, (record for batch in batches for record in batch))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(path, f"is a damaged Parquet file ({type(error).__name__}).") from None


def hub_rows(place: str, columns: frozenset[str]) -> Iterator[Row]:
    """Yield the records of a data set on the Hub, hf:OWNER/NAME[:SPLIT]; without a split, those of `train`.

    Raises:
        DataError: it cannot be loaded, or has no such split; the message has those that it has.
        MissingDependency: `datasets` is not installed.
    """
    require("datasets", "Reading a data set from the Hub", "train")
    import datasets

    name, _, split = place.removeprefix(HUB).partition(":")
    split = split or _DEFAULT_SPLIT
    try:
        found = datasets.load_dataset(name, split=split)
    except Exception as error:  # the Hub client has a dozen exceptions, all meaning that the data are not available
        others = _splits(name) if isinstance(error, ValueError) else []
        if others and split not in others:
            problem = (
                f"has no split {split!r}. Name one of its splits: {', '.join(f'{HUB}{name}:{one}' for one in others)}"
            )
            raise DataError(Path(f"{HUB}{name}"), f"{problem}.") from None
        raise DataError(
            Path(place),
            f"cannot be loaded from the Hub or its local cache ({type(error).__name__}). Check the name and the "
            "network, log in with `hf auth login` if it is gated, or download a file of it and give that.",
        ) from None
    known = _known_columns(Path(place), found.column_names, columns)
    return _numbered(Path(f"{HUB}{name}:{split}"), found.select_columns(known))


def _splits(name: str) -> list[str]:
    """Return the splits of a data set on the Hub; none if it cannot say."""
    import datasets

    try:
        return [str(one) for one in datasets.get_dataset_split_names(name)][:_LISTED_SPLITS]
    except Exception:  # as above
        return []


def _known_columns(place: Path, names: Sequence[str], columns: frozenset[str]) -> list[str]:
    """Return the columns that are read, in their order in the table.

    Raises:
        DataError: there is none.
    """
    known = [name for name in names if name in columns]
    if not known:
        has = ", ".join(names[:8])
        raise DataError(place, f"none of its columns ({has}) is one of {', '.join(sorted(columns))}.")
    return known


def _numbered(path: Path, records: Iterable[dict[str, Any]]) -> Iterator[Row]:
    for number, record in enumerate(records, start=1):
        yield _without_nulls(Row(path, "record", number, record))
