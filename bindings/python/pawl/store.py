"""Stores, and what comes of them."""

from __future__ import annotations

import builtins
import ctypes
import os
from typing import TYPE_CHECKING, Any, Callable, Iterator

from . import _native
from ._native import PawlError, Result, Token, _Bytes
from .machine import Machine

if TYPE_CHECKING:
    from ._native import Limits, Unpack


class Stream:
    """Results that come one after the other: an iterator, or watched."""

    def __init__(self, machine: int, name: str, params: Result):
        given, out = _native.params_of(params), _Bytes()
        number = _native.lib.pawl_stream(machine, name.encode(), given, len(given), ctypes.byref(out))
        self.handle: int = _native.answer(number, out)["stream"]

    def next(self, timeout: float | None = None, token: Token | None = None) -> Result | None:
        """The next result, None at the end. One that is not waited for is not lost."""
        out = _Bytes()
        number = _native.lib.pawl_next(self.handle, _native.milliseconds(timeout), token.handle if token else 0, ctypes.byref(out))
        try:
            return _native.answer(number, out)
        except PawlError as e:
            if e.code == "end":
                return None
            raise

    def watch(self, callback: Callable[[Result | None, PawlError | None], None]) -> None:
        _native.watch(self.handle, callback)

    def close(self) -> None:
        _native.check(_native.lib.pawl_close(self.handle))

    def __iter__(self) -> Iterator[Result]:
        while (item := self.next()) is not None:
            yield item


class Store:
    """An open store. Its methods are calls of docs/calls.txt."""

    def __init__(self, handle: int):
        self.handle = handle

    def _call(self, name: str, params: Result, body: bytes = b"", timeout: float | None = None, token: Token | None = None) -> Result:
        return _native.call(self.handle, name, params, body, timeout, token)

    def close(self) -> None:
        """Closes the store, and all machines and streams of it."""
        _native.check(_native.lib.pawl_close(self.handle))

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def machine(self, user: str, device: str, **how: Unpack[Limits]) -> Machine:
        return Machine(self._call("machine", {"user": user, "device": device}, **how)["machine"], Stream)

    def create(self, user: str, device: str, **how: Unpack[Limits]) -> Machine:
        return Machine(self._call("create", {"user": user, "device": device}, **how)["machine"], Stream)

    def open_or_create(self, user: str, device: str, **how: Unpack[Limits]) -> Machine:
        return Machine(self._call("open_or_create", {"user": user, "device": device}, **how)["machine"], Stream)

    def delete(self, user: str, device: str, **how: Unpack[Limits]) -> None:
        self._call("delete", {"user": user, "device": device}, **how)

    def accounts(self, **how: Unpack[Limits]) -> Result:
        return self._call("accounts", {}, **how)

    def retirements(self, **how: Unpack[Limits]) -> Result:
        return self._call("retirements", {}, **how)

    def stats(self, **how: Unpack[Limits]) -> Result:
        return self._call("stats", {}, **how)

    def change_key(self, key: bytes, **how: Unpack[Limits]) -> Result:
        return self._call("change_key", {}, key, **how)

    def change_passphrase(self, passphrase: bytes, **how: Unpack[Limits]) -> Result:
        return self._call("change_passphrase", {}, passphrase, **how)

    def erase(self, **how: Unpack[Limits]) -> Result:
        return self._call("erase", {}, **how)

    def check_store(self, **how: Unpack[Limits]) -> Result:
        return self._call("check_store", {}, **how)

    def repair(self, **how: Unpack[Limits]) -> Result:
        return self._call("repair", {}, **how)

    def yield_(self, **how: Unpack[Limits]) -> Result:
        """Gives up what others wait for, before the process is suspended."""
        return self._call("yield", {}, **how)


def open(
    path: str | os.PathLike[str],
    key: bytes | None = None,
    passphrase: bytes | None = None,
    engine: str | None = None,
    memory: int | None = None,
    passes: int | None = None,
    without_noticing_copies: bool | None = None,
    timeout: float | None = None,
    token: Token | None = None,
) -> Store:
    """Opens a store, or makes one, under a key of 32 bytes or a passphrase. The engine
    is that of the library, if nothing is said."""
    if (key is None) == (passphrase is None):
        raise ValueError("give either a key or a passphrase")
    params = _native.params_of({
        "engine": engine or default_engine(), "path": os.fspath(path), "secret": "passphrase" if key is None else "key",
        "memory": memory, "passes": passes, "without_noticing_copies": without_noticing_copies,
    })
    secret = key if key is not None else passphrase or b""
    out = _Bytes()
    number = _native.lib.pawl_open(
        params, len(params), secret, len(secret), _native.milliseconds(timeout), token.handle if token else 0, ctypes.byref(out)
    )
    return Store(_native.answer(number, out)["store"])


def default_engine() -> str:
    """The engine of the library's flavour that keeps stores on disk."""
    engines: list[str] = _native.names()["engines"]
    return builtins.next(e for e in engines if e != "memory")
