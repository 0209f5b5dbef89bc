"""A client on Pawl's binding for Python that the tests drive, as package pawlbot is one
in Go: one of several processes that have one device, each of which may sync, send and
read. It reads commands on standard input and writes answers and events on standard
output, a line of JSON each. PAWL_LIBRARY names the library."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import sys
import threading
import time
from typing import Any, Callable, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import pawl

KEY = b"\1" + bytes(31)  # the tests': a client keeps it in the system's keychain
API = "/_matrix/client/v3/"
FILTER = '{"room":{"timeline":{"limit":1000}}}'
HELD = 30_000  # how long the server holds a sync without news, in milliseconds
T = TypeVar("T")


class NotSent(Exception):
    """The server was not reached: no byte of the request has left."""


class Refused(Exception):
    def __init__(self, status: int, body: bytes):
        super().__init__(f"status {status} {body!r}")
        self.status, self.body = status, body


class Server:
    def __init__(self, url: str, token: str):
        self.address, self.token = urlsplit(url).netloc, token
        self.syncing: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: bytes = b"", syncs: bool = False) -> bytes:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.connect()
        except OSError as e:
            raise NotSent(str(e)) from e
        try:
            if syncs:
                self.syncing = connection
            headers = {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Refused(answer.status, text)
        return text

    def hang_up(self) -> None:
        """Ends the sync that is held."""
        if self.syncing and self.syncing.sock:
            self.syncing.sock.shutdown(socket.SHUT_RDWR)


def passes(e: Exception) -> bool:
    """Whether what failed is to be tried again as it is."""
    if isinstance(e, Refused):
        return e.status == 429 or e.status >= 500
    if isinstance(e, pawl.PawlError):
        return e.remedy == "retry" and e.code not in ("deadline", "canceled")
    return isinstance(e, (NotSent, OSError, http.client.HTTPException))


class Bot:
    def __init__(self) -> None:
        self.saying = threading.Lock()
        self.ended = threading.Event()
        self.due = threading.Event()  # there may be something to be sent
        self.loops: list[threading.Thread] = []
        self.busy: list[threading.Thread] = []

    def say(self, line: dict[str, Any]) -> None:
        with self.saying:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def patiently(self, do: Callable[[], T]) -> T:
        """Does something until it succeeds, or fails for good."""
        pause = 0.02
        while True:
            try:
                return do()
            except Exception as e:
                if not passes(e) or self.ended.wait(pause):
                    raise
            pause = min(2 * pause, 1)

    # Commands.

    def do(self, c: dict[str, Any]) -> dict[str, Any]:
        match c["cmd"]:
            case "login":
                os.makedirs(c["store"], mode=0o700, exist_ok=True)
                self.server = Server(c["homeserver"], c["access_token"])
                self.store = pawl.open(os.path.join(c["store"], "device.db"), key=KEY, engine="sqlite")
                self.device = self.store.open_or_create(c["user_id"], c["device_id"])
                self.loop(self.send_what_is_due)
            case "start":
                self.loop(self.sync)
            case "join":
                self.server.ask("POST", API + "join/" + quote(c["room"], safe=""), b"{}")
            case "send":
                return {"event_id": self.send(c["room"], c["body"])}
            case "read":
                return self.read(c["room"], c["event_id"], c["timeout_ms"] / 1000)
            case "check":
                if broken := self.patiently(self.device.check)["broken"]:
                    raise RuntimeError(f"the device is broken: {broken}")
            case other:
                raise RuntimeError(f"no command {other}")
        return {}

    def loop(self, f: Callable[[], None]) -> None:
        self.loops.append(threading.Thread(target=f))
        self.loops[-1].start()

    def answer(self, c: dict[str, Any]) -> None:
        try:
            self.say({"id": c["id"], "ok": True, **self.do(c)})
        except Exception as e:
            self.say({"id": c["id"], "ok": False, "error": f"{type(e).__name__}: {e}"})

    def serve(self) -> None:
        quit = None
        for line in sys.stdin:
            c = json.loads(line)
            if c["cmd"] == "quit":
                quit = c["id"]
                break
            if c["cmd"] in ("send", "read", "check"):
                self.busy.append(threading.Thread(target=self.answer, args=(c,)))
                self.busy[-1].start()
            else:
                self.answer(c)
        for thread in self.busy:
            thread.join()
        self.ended.set()
        self.due.set()
        if self.loops:
            self.server.hang_up()
            self.store.close()  # what waits for a key ends with it
        for thread in self.loops:
            thread.join()
        if quit is not None:
            self.say({"id": quit, "ok": True})

    # What is to be sent.

    def send_what_is_due(self) -> None:
        while not self.ended.is_set():
            try:
                while requests := self.device.outgoing_requests()["requests"]:
                    for r in requests:
                        self.deliver(r)
            except Exception as e:
                if not self.ended.is_set():
                    print("what is due cannot be sent:", e, file=sys.stderr)
            self.due.wait(1)
            self.due.clear()

    def deliver(self, r: dict[str, Any]) -> None:
        """Sends a request, and hands in what came of it."""
        device, id = self.device, r["id"]
        failed: Exception | None = None
        try:
            answer = self.server.ask(r["method"], r["path"], r["body"].encode())
            tell = lambda: device.mark_sent(id, answer)
        except Exception as e:
            failed = e
            if isinstance(e, Refused) and e.status == 429:
                until = int(time.time() * 1000) + int(json.loads(e.body).get("retry_after_ms", 0))
                tell = lambda: device.mark_failed(id, "later", until=until)
            elif isinstance(e, Refused):
                status, body = e.status, e.body
                tell = lambda: device.mark_failed(id, "refused", body, status=status)
            else:
                why = "not_sent" if isinstance(e, NotSent) else "unknown"
                tell = lambda: device.mark_failed(id, why)
        try:
            self.patiently(tell)
        except pawl.PawlError as e:
            if e.code != "no_request":  # else another process was first
                raise
        if failed:
            raise failed

    def send(self, room: str, body: str) -> str:
        content = json.dumps({"msgtype": "m.text", "body": body}).encode()
        encrypted = self.patiently(lambda: self.encrypt(room, content))
        path = f"{API}rooms/{quote(room, safe='')}/send/m.room.encrypted/{secrets.token_hex(16)}"
        id: str = json.loads(self.patiently(lambda: self.server.ask("PUT", path, encrypted)))["event_id"]
        return id

    def encrypt(self, room: str, content: bytes) -> bytes:
        if not self.device.room(room)["encrypted"]:
            raise RuntimeError("the room is not known to be encrypted")
        while True:
            self.share(room)
            try:
                encrypted: str = self.device.encrypt_room_event(room, "m.room.message", content)["content"]
                return encrypted.encode()
            except pawl.PawlError as e:
                if e.code not in ("not_shared", "rotate"):  # somebody came or left meanwhile
                    raise

    def share(self, room: str) -> None:
        answer = json.loads(self.server.ask("GET", f"{API}rooms/{quote(room, safe='')}/members"))
        members = [e["state_key"] for e in answer["chunk"] if e["content"]["membership"] in ("join", "invite")]
        pause = 0.02
        while not (sharing := self.device.share_room_key(room, members))["done"]:
            for r in sharing["requests"]:
                try:
                    self.deliver(r)
                except Exception as e:  # Pawl knows what came of it
                    print("a request is not sent:", e, file=sys.stderr)
            if not sharing["requests"]:  # another process has them, or they have to wait
                self.ended.wait(pause)
                pause = min(2 * pause, 1)

    # What comes.

    def sync(self) -> None:
        wait, pause = 0, 0.02
        while not self.ended.is_set():
            try:
                ticket = self.device.next_sync()
                query = {"filter": FILTER, "timeout": wait} | ({"since": ticket["since"]} if ticket["since"] else {})
                response = self.server.ask("GET", API + "sync?" + urlencode(query), syncs=True)
                got = self.device.receive_sync(ticket["ticket"], response)
                self.due.set()
                self.device.acknowledge([e["receipt"] for e in got["events"] if e["encrypted"]])
                for room, news in json.loads(response).get("rooms", {}).get("join", {}).items():
                    for e in news.get("timeline", {}).get("events", []):
                        self.show(room, e)
                self.say({"event": "synced"})
                wait, pause = HELD, 0.02
            except Exception as e:
                if self.ended.is_set():
                    return
                self.say({"event": "sync_error", "error": f"{type(e).__name__}: {e}"})
                self.ended.wait(pause)
                pause = min(2 * pause, 1)

    def show(self, room: str, e: dict[str, Any]) -> None:
        """Tells an event. One that has no key yet is told once more when it has come."""
        if e["type"] not in ("m.room.message", "m.room.encrypted"):
            return
        told = {"room": room, "event_id": e["event_id"], "sender": e["sender"], "encrypted": e["type"] == "m.room.encrypted"}
        try:
            self.say({"event": "message", **told, "body": self.open(room, e)})
        except pawl.PawlError as error:
            self.say({"event": "undecryptable", **told, "error": str(error)})
            if error.code == "no_room_key":
                threading.Thread(target=self.show_later, args=(room, e, told), daemon=True).start()

    def show_later(self, room: str, e: dict[str, Any], told: dict[str, Any]) -> None:
        try:
            self.say({"event": "message", **told, "body": self.open_later(room, e, None)})
        except pawl.PawlError as error:
            if not self.ended.is_set():
                print("a message is not read:", error, file=sys.stderr)

    def open(self, room: str, e: dict[str, Any]) -> str:
        content = e["content"]
        if e["type"] == "m.room.encrypted":
            text = json.dumps(content).encode()
            opened = self.patiently(lambda: self.device.decrypt_room_event(room, e["sender"], text, id=e["event_id"]))
            content = json.loads(opened["content"])
        body: str = content["body"]
        return body

    def open_later(self, room: str, e: dict[str, Any], timeout: float | None) -> str:
        while True:
            try:
                return self.open(room, e)
            except pawl.PawlError as error:
                if error.code != "no_room_key":
                    raise
            self.patiently(lambda: self.device.wait_for_room_key(room, e["content"]["session_id"], e["sender"], timeout=timeout))

    def read(self, room: str, id: str, timeout: float) -> dict[str, Any]:
        """Fetches an event and reads it, as an extension does that is told of it."""
        path = f"{API}rooms/{quote(room, safe='')}/event/{quote(id, safe='')}"
        e = json.loads(self.patiently(lambda: self.server.ask("GET", path)))
        return {"body": self.open_later(room, e, timeout), "sender": e["sender"]}


Bot().serve()
