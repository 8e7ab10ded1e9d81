"""Python objects as JSON bytes. No reply is lost to its content: what JSON cannot say is replaced. What a user sends, such
as the data of a comm, is another matter: there an object that has no likeness in JSON is an error, which its sender sees."""

from __future__ import annotations

import json
import math
import numbers
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

# Nesting below which an object is written out; a structure that contains itself never gets past it.
_DEPTH = 200
_TOO_DEEP = object()

_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=True, separators=(",", ":")
)


def encode(content: Any) -> bytes:
    """JSON for `content`. What JSON cannot say is replaced: see `clean`."""
    return _bytes(content, _named)


def encode_strictly(content: Any) -> bytes:
    """The same for what a user sends on purpose: ValueError where there is something that has no likeness in JSON."""
    return _bytes(content, _refused)


def _bytes(content: Any, last: Callable[..., Any]) -> bytes:
    try:
        text = _encoder.encode(content)
    except (TypeError, ValueError, RecursionError):
        text = _encoder.encode(clean(content, last))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8, and strict readers refuse a message with its escape.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.encode("utf-8")


def clean(value: Any, last: Callable[..., Any] | None = None, depth: int = _DEPTH) -> Any:
    """A copy that JSON can say: bytes become base64, dates ISO 8601, NaN and infinity their names, numbers of other types
    plain ones, mappings objects, other iterables lists, and what is left what `last` makes of it, by default its `repr`.
    """
    if value is None or isinstance(value, (bool, str)):
        # A subclass may have an encoding of its own in mind; the wire has not.
        return value if type(value) in (bool, str, type(None)) else str.__str__(value)
    if isinstance(value, numbers.Integral):
        return _integer(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else repr(number)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b64encode(value).decode("ascii")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    last = last or _named
    if depth <= 0:
        return last(_TOO_DEEP)
    if isinstance(value, Mapping):
        return {_key(key): clean(item, last, depth - 1) for key, item in value.items()}
    if isinstance(value, Iterable):
        try:
            items = list(value)
        except Exception:
            # An array without dimensions, for one, only looks like an iterable.
            return last(value)
        return [clean(item, last, depth - 1) for item in items]
    return last(value)


def _integer(value: Any) -> int | str:
    number = int(value)
    try:
        str(number)
    except ValueError:
        # Longer than Python is willing to write in decimal.
        return hex(number)
    return number


def _key(key: object) -> str:
    if isinstance(key, bytes):
        return key.decode("utf-8", "backslashreplace")
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    return str(key)


def _named(value: Any) -> str:
    if value is _TOO_DEEP:
        return "..."
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"


def _refused(value: Any) -> NoReturn:
    if value is _TOO_DEEP:
        raise ValueError("it is nested too deeply for JSON, or contains itself")
    # The error and its words are those that jupyter_client's session has for it.
    raise ValueError(f"Can't clean for JSON: {_named(value)}")


def encode_images(bundle: dict) -> dict:
    """A mime bundle whose pictures and documents are text: raw bytes become base64."""
    if not any(isinstance(value, (bytes, bytearray)) for value in bundle.values()):
        return bundle
    return {
        mime: b64encode(value).decode("ascii") if isinstance(value, (bytes, bytearray)) else value
        for mime, value in bundle.items()
    }


def decode(content: bytes) -> dict:
    """The JSON object of a request. ValueError says what is wrong with it."""
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise ValueError("the content is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"the content must be a JSON object, not {type(value).__name__}")
    return value
