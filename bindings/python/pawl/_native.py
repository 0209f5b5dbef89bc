"""The C library by ctypes, which gives up the interpreter's lock for each call."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

ABI_VERSION = 1
Result = dict[str, Any]

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack as Unpack

    class Limits(TypedDict, total=False):
        """What every call takes: seconds, and what cancels it."""

        timeout: float | None
        token: Token | None


class _Bytes(ctypes.Structure):
    _fields_ = [("data", ctypes.POINTER(ctypes.c_uint8)), ("length", ctypes.c_size_t)]


_OUT = ctypes.POINTER(_Bytes)
_INPUT = [ctypes.c_char_p, ctypes.c_size_t]
_ITEM = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int32, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t)
_LINE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t)
_DEADLINE = [ctypes.c_int64, ctypes.c_uint64]

# Every function of pawl.h, with its arguments. A test holds this against the header.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "pawl_abi_version": (ctypes.c_uint32, []),
    "pawl_free": (None, [_OUT]),
    "pawl_open": (ctypes.c_int32, [*_INPUT, *_INPUT, *_DEADLINE, _OUT]),
    "pawl_call": (ctypes.c_int32, [ctypes.c_uint64, ctypes.c_char_p, *_INPUT, *_INPUT, *_DEADLINE, _OUT]),
    "pawl_stream": (ctypes.c_int32, [ctypes.c_uint64, ctypes.c_char_p, *_INPUT, _OUT]),
    "pawl_next": (ctypes.c_int32, [ctypes.c_uint64, *_DEADLINE, _OUT]),
    "pawl_close": (ctypes.c_int32, [ctypes.c_uint64]),
    "pawl_token": (ctypes.c_int32, [ctypes.POINTER(ctypes.c_uint64)]),
    "pawl_cancel": (ctypes.c_int32, [ctypes.c_uint64]),
    "pawl_watch": (ctypes.c_int32, [ctypes.c_uint64, _ITEM, ctypes.c_void_p]),
    "pawl_log": (ctypes.c_int32, [_LINE, ctypes.c_void_p, ctypes.c_int32]),
    "pawl_codes": (ctypes.c_int32, [_OUT]),
    "pawl_names": (ctypes.c_int32, [_OUT]),
}


def _load() -> ctypes.CDLL:
    name = "libpawl.dylib" if sys.platform == "darwin" else "libpawl.so"
    path = os.environ.get("PAWL_LIBRARY") or str(Path(__file__).with_name(name))
    loaded = ctypes.CDLL(path)
    for function, (result, arguments) in FUNCTIONS.items():
        f = getattr(loaded, function)
        f.restype, f.argtypes = result, arguments
    if loaded.pawl_abi_version() != ABI_VERSION:
        raise ImportError(f"{path} is of another version than this package")
    return loaded


lib = _load()


class PawlError(Exception):
    """What a call ended with. code is its name, of docs/errors.md; remedy says what may
    be done; more has all that the library says, "result" among it where a part was done."""

    def __init__(self, number: int, more: Result):
        super().__init__(more.get("message") or f"pawl: error {number}")
        self.number = number
        self.code: str = more.get("code", "other")
        self.remedy: str = more.get("remedy", "none")
        self.more = more


def answer(number: int, out: _Bytes) -> Result:
    """The result in out, or the error in it."""
    try:
        said = json.loads(ctypes.string_at(out.data, out.length)) if out.data else {}
    finally:
        lib.pawl_free(ctypes.byref(out))
    if number != 0:
        raise PawlError(number, said)
    return said


def params_of(params: Result) -> bytes:
    """Parameters as the library takes them. What is None is left out."""
    return json.dumps({"v": 1, **{k: v for k, v in params.items() if v is not None}}).encode()


def milliseconds(timeout: float | None) -> int:
    return -1 if timeout is None else int(min(max(timeout, 0), 1e15) * 1000)  # ctypes would wrap a larger one


class Token:
    """Cancels the calls that it is given to, from any thread."""

    def __init__(self) -> None:
        handle = ctypes.c_uint64()
        check(lib.pawl_token(ctypes.byref(handle)))
        self.handle: int = handle.value

    def cancel(self) -> None:
        check(lib.pawl_cancel(self.handle))

    def close(self) -> None:
        check(lib.pawl_close(self.handle))


def check(number: int) -> None:
    """Raises the error of a function that answers with nothing but its number."""
    if number != 0:
        known = {c["number"]: c for c in codes()} if number != 1004 else {1004: {"code": "forked", "means": "a forked process cannot use the library"}}
        more = known.get(number, {})
        raise PawlError(number, {**more, "message": more.get("means")})


def call(on: int, name: str, params: Result, body: bytes = b"", timeout: float | None = None, token: Token | None = None) -> Result:
    given, out = params_of(params), _Bytes()
    number = lib.pawl_call(on, name.encode(), given, len(given), body, len(body), milliseconds(timeout), token.handle if token else 0, ctypes.byref(out))
    return answer(number, out)


def codes() -> list[Result]:
    """All codes, with their numbers, remedies and meanings."""
    out = _Bytes()
    return list(answer(lib.pawl_codes(ctypes.byref(out)), out)["codes"])


def names() -> Result:
    """The names of all calls: of stores, of machines, and streams."""
    out = _Bytes()
    return answer(lib.pawl_names(ctypes.byref(out)), out)


# The library calls these two, which live as long as it does, and they call whom the
# program named.
_logged: Callable[[Result], None] | None = None
_watching: dict[int, Callable[[Result | None, PawlError | None], None]] = {}


def _line(_user: Any, _level: int, data: Any, length: int) -> None:
    if _logged is not None:
        _logged(json.loads(ctypes.string_at(data, length)))


_on_line = _LINE(_line)


def _item(_user: Any, stream: int, number: int, data: Any, length: int) -> None:
    said = json.loads(ctypes.string_at(data, length))
    if number == 0:
        _watching[stream](said, None)
    else:
        _watching.pop(stream)(None, PawlError(number, said))


_on_item = _ITEM(_item)


def set_log(callback: Callable[[Result], None] | None, level: int = 0) -> None:
    """Calls back for lines of the log, from a thread of the library's; None ends it."""
    global _logged
    if callback is None:
        check(lib.pawl_log(_LINE(), None, level))
        _logged = None
    else:
        _logged = callback
        check(lib.pawl_log(_on_line, None, level))


def watch(stream: int, callback: Callable[[Result | None, PawlError | None], None]) -> None:
    """Calls back for each item of a stream, and a last time with why it ended."""
    if stream in _watching:
        raise ValueError("the stream is watched already")
    _watching[stream] = callback
    number = lib.pawl_watch(stream, _on_item, None)
    if number != 0:
        del _watching[stream]
    check(number)


def bytes_of(text: str) -> bytes:
    """Bytes that a result has in base64."""
    return base64.b64decode(text + "=" * (-len(text) % 4))


def text_of(data: bytes) -> str:
    """Bytes as parameters have them."""
    return base64.b64encode(data).decode().rstrip("=")
