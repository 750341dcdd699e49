"""Rows as plain JSON objects and back, checked against the table's own columns.

So whatever a table holds can be written to a file and read from one that somebody else may have changed.
"""

import enum
import json
import math
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.errors import FeedbackError

_MAX_JSON = 20_000
_MAX_TEXT = 20_000
_MAX_INT = 2**63


def to_json(row: Mapping[Any, Any], columns: Collection[str]) -> dict[str, Any]:
    """Return these columns of a row as plain data; enums as their values."""
    values = {name: row[name] for name in columns}
    return {k: v.value if isinstance(v, enum.Enum) else v for k, v in values.items()}


def from_json(table: sa.Table, data: Any, columns: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check an object that should be a row of a table.

    Args:
        table: whose columns say what is allowed.
        data: what was read.
        columns: those that are taken from it.

    Returns:
        The values of the columns, defaults for those that are missing and may be; and what else it holds.

    Raises:
        FeedbackError: it is no object, or a value is missing or of the wrong kind.
    """
    if not isinstance(data, dict):
        raise FeedbackError(f"it must be an object; got {type(data).__name__}.")
    values = {name: _checked(table.c[name], data.get(name)) for name in columns}
    return values, {str(k): v for k, v in data.items() if k not in values}


def _checked(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        if column.nullable:
            return None
        if isinstance(column.default, sa.ColumnDefault) and column.default.is_scalar:
            return column.default.arg  # the file is older than the column
        raise FeedbackError(f"{column.name!r} is missing.")
    kind = column.type
    words = getattr(kind, "kind", None)  # the schema's own type for enums
    if isinstance(words, enum.EnumMeta):
        known = {str(member.value): member for member in list[enum.Enum](words)}
        if not isinstance(value, str) or value not in known:
            raise FeedbackError(f"{column.name} {value!r} must be one of {', '.join(known)}.")
        return known[value]
    if not _fits(kind, value):
        raise FeedbackError(f"{column.name} {str(value)[:80]!r} does not fit: {kind} is needed.")
    return value


def _fits(kind: sa.types.TypeEngine[Any], value: Any) -> bool:
    if isinstance(kind, sa.Boolean):
        return isinstance(value, bool)
    if isinstance(kind, sa.Integer):
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_INT
    if isinstance(kind, sa.Float):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and abs(value) < _MAX_INT and math.isfinite(value)
    if isinstance(kind, sa.JSON):
        return len(json.dumps(value)) <= _MAX_JSON
    # A lone surrogate is a legal JSON string that no database takes.
    is_text = isinstance(value, str) and len(value) <= (kind.length or _MAX_TEXT)  # type: ignore[attr-defined]
    return is_text and not any("\ud800" <= letter <= "\udfff" or letter == "\0" for letter in value)
