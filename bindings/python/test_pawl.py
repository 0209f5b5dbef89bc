"""Tests of the binding. They run with the library that PAWL_LIBRARY names, or with the
one in an installed wheel: python3 test_pawl.py."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Callable

import pawl
from pawl import _native

KEY = bytes(range(32))
ALICE, BOB = "@alice:example.org", "@bob:example.org"


class Binding(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "store"
        self.store = pawl.open(self.path, key=KEY)
        self.addCleanup(self.close)

    def close(self) -> None:
        try:
            self.store.close()
        except pawl.PawlError as e:
            self.assertEqual(e.code, "handle")

    def test_every_call_is_here(self) -> None:
        names = pawl.names()
        for of, all in (pawl.Store, names["store"]), (pawl.Machine, names["machine"] + names["streams"]):
            for name in all:
                method = getattr(of, name + "_" if name == "yield" else name, None)
                if not callable(method):
                    self.fail(f"{of.__name__} has no {name}")
                hints = inspect.signature(method)
                self.assertIsNot(hints.return_annotation, hints.empty, f"{name} is not typed")
        self.assertGreater(len(names["machine"]), 45)

    def test_every_parameter_is_here(self) -> None:
        """What docs/calls.txt lists, and beside it only the bytes and what every call takes."""
        listed = os.environ.get("PAWL_CALLS")
        if listed is None:
            self.skipTest("PAWL_CALLS names no list of calls")
        calls = re.findall(r"^(\w+): (?:on|of) a (store|machine)\b.*\n((?:  .*\n)*)", Path(listed).read_text(), re.M)
        self.assertGreater(len(calls), 60)
        for name, on, fields in calls:
            method = getattr(pawl.Store if on == "store" else pawl.Machine, name + "_" if name == "yield" else name)
            takes = set(inspect.signature(method).parameters) - {"self", "how"}
            params = set(re.findall(r"^  param  (\w+)", fields, re.M))
            beside = takes - params
            self.assertEqual((params - takes, len(beside)), (set(), "\n  takes " in "\n" + fields), f"{name} takes {takes}")

    def test_every_function_is_here(self) -> None:
        header = os.environ.get("PAWL_HEADER")
        if header is None:
            self.skipTest("PAWL_HEADER names no header")
        text = re.sub(r"/\*.*?\*/", "", Path(header).read_text(), flags=re.S)
        declared = re.findall(r"^\w+ (pawl_\w+)\(([^;]*)\);", text, re.M)
        self.assertEqual({f: 0 if a == "void" else a.count(",") + 1 for f, a in declared}, {f: len(a) for f, (_, a) in _native.FUNCTIONS.items()})
        for name, number in re.findall(r"^#define PAWL_(\w+) (\d+)$", text, re.M):
            if name not in ("ABI_VERSION", "OK") and not name.startswith("LOG_"):
                self.assertIn((name.lower(), int(number)), [(c["code"], c["number"]) for c in pawl.codes()])

    def test_two_devices_write_to_each_other(self) -> None:
        alice, bob = self.store.create(ALICE, "PHONE"), self.store.create(BOB, "PHONE")
        upload = bob.keys_for_upload(1)
        key = next(iter(json.loads(upload["body"])["one_time_keys"].values()))["key"]
        bob.mark_published(upload["one_time_keys"], upload["fallback"])
        said = alice.encrypt(bob.identity()["curve25519"], b"hi\0\xff", one_time_key=key)
        read = bob.decrypt(alice.identity()["curve25519"], said["message"])
        self.assertEqual((pawl.bytes_of(read["plaintext"]), read["duplicate"]), (b"hi\0\xff", False))
        bob.acknowledge([read["receipt"]])
        with self.assertRaises(pawl.PawlError) as failed:
            bob.decrypt(alice.identity()["curve25519"], said["message"])
        self.assertEqual((failed.exception.code, failed.exception.remedy), ("already_processed", "none"))

    def test_an_open_store_is_found_again(self) -> None:
        before = self.store.create(ALICE, "PHONE").identity()
        with pawl.open(self.path, key=KEY) as other:
            self.assertEqual(other.machine(ALICE, "PHONE").identity(), before)
        with self.assertRaises(pawl.PawlError) as failed:
            pawl.open(self.path, key=bytes(32))
        self.assertEqual(failed.exception.code, "passphrase")

    def test_wrong_calls_are_errors(self) -> None:
        alice = self.store.create(ALICE, "PHONE")
        calls: dict[str, Callable[[], object]] = {
            "params": lambda: alice.encrypt("x", b""),
            "room_id": lambda: alice.room("x"),
            "no_account": lambda: self.store.machine(BOB, "PHONE"),
            "not_shared": lambda: alice.encrypt_room_event("!r:example.org", "m.room.message", b"{}"),
            "deadline": lambda: alice.wait_for_room_key("!r:example.org", "A" * 42 + "E", timeout=0.01),
        }
        for code, call in calls.items():
            with self.assertRaises(pawl.PawlError) as failed:
                call()
            self.assertEqual(failed.exception.code, code)
        alice.close()
        with self.assertRaises(pawl.PawlError) as failed:
            alice.identity()
        self.assertEqual(failed.exception.code, "handle")

    def test_any_deadline_may_be_given(self) -> None:
        alice = self.store.create(ALICE, "PHONE")
        for far in (None, 1e15, 1e30, float("inf")):
            self.assertEqual(alice.identity(timeout=far)["user_id"], ALICE)
        for past in (0, -1, -1e30):
            with self.assertRaises(pawl.PawlError) as failed:
                alice.identity(timeout=past)
            self.assertEqual(failed.exception.code, "deadline")

    def test_a_path_that_is_no_text_is_refused(self) -> None:
        with self.assertRaises(pawl.PawlError) as failed:
            pawl.open(os.fsdecode(os.fsencode(self.path) + b"\xff"), key=KEY)
        self.assertEqual(failed.exception.code, "params")

    def test_calls_do_not_hold_the_interpreters_lock(self) -> None:
        alice, token = self.store.create(ALICE, "PHONE"), pawl.Token()
        ended: list[str] = []

        def wait() -> None:
            try:
                alice.wait_for_room_key("!r:example.org", "A" * 42 + "E", token=token)
            except pawl.PawlError as e:
                ended.append(e.code)

        waiting = threading.Thread(target=wait)
        waiting.start()
        for _ in range(3):  # with the lock held this thread would not come here
            alice.identity()
        self.assertTrue(waiting.is_alive())
        token.cancel()
        waiting.join()
        self.assertEqual(ended, ["canceled"])

    def test_events_are_told(self) -> None:
        alice = self.store.create(ALICE, "PHONE")
        first = alice.events().next(timeout=60)
        self.assertEqual(first and first["kind"], "resync")
        told: list[object] = []
        came = threading.Condition()

        def on(item: object, error: object) -> None:
            with came:
                told.append(item or error)
                came.notify_all()

        stream = alice.events()
        stream.watch(on)
        with came:
            self.assertTrue(came.wait_for(lambda: len(told) == 1, 60))
        stream.close()
        with came:
            self.assertTrue(came.wait_for(lambda: len(told) == 2, 60))
        self.assertIsInstance(told[1], pawl.PawlError)
        self.assertEqual(list(alice.export_room_keys()), [])

    def test_the_log_is_told_and_ends(self) -> None:
        lines: list[dict[str, object]] = []
        pawl.set_log(lines.append, -4)
        with pawl.open(self.path.with_name("other"), key=KEY) as other:
            other.create(ALICE, "PHONE")
        pawl.set_log(None)
        for line in lines:
            self.assertIn("msg", line)

    def test_a_forked_process_is_told(self) -> None:
        alice = self.store.create(ALICE, "PHONE")
        if (child := os.fork()) == 0:
            code = 1
            try:
                alice.identity()
            except pawl.PawlError as e:
                code = 0 if e.code == "forked" else 2
            finally:
                os._exit(code)
        late = time.monotonic() + 60
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > late:
                os.kill(child, 9)
            time.sleep(0.01)
        self.assertEqual(ended[1], 0)


if __name__ == "__main__":
    print(sys.version, pawl.names()["engines"])
    unittest.main(verbosity=1)
