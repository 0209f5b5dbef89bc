"""A Matrix device's encryption state in a store that any number of processes share.

    with pawl.open("alice.pawl", key=key) as store:
        alice = store.open_or_create("@alice:example.org", "PHONE")
        for request in alice.outgoing_requests()["requests"]:
            ...

See README.md, and docs/calls.txt for what each call takes and returns.
"""

from ._native import ABI_VERSION, PawlError, Token, bytes_of, codes, names, set_log, text_of
from .machine import Machine
from .store import Store, Stream, open

__all__ = [
    "ABI_VERSION", "Machine", "PawlError", "Store", "Stream", "Token",
    "bytes_of", "codes", "names", "open", "set_log", "text_of",
]
