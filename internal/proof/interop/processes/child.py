"""A process of the device on Pawl's binding for Python, as Serve is one in Go: it takes
lines of JSON on standard input, each a request of wire.go, and answers each with a line.
Calls run at once, each in a thread. PAWL_LIBRARY names the library."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from typing import Any

import pawl

USER, DEVICE, KEY = "@alice:example.org", "PHONE", b"\2" + bytes(31)
Object = dict[str, Any]


class Child:
    def __init__(self) -> None:
        self.saying = threading.Lock()

    def open(self, setup: Object) -> Object:
        path = setup["Dir"] if setup["Engine"] == "badger" else os.path.join(setup["Dir"], "store.db")
        self.timeout = setup["Within"] / 1e9 if setup["Within"] else None
        self.store = pawl.open(path, key=KEY, engine=setup["Engine"])
        self.device = (self.store.create if setup["Create"] else self.store.machine)(USER, DEVICE)
        return {}

    def call(self, c: Object, leisure: bool) -> Object:
        params = {name: value for name, value in c["params"].items() if name != "v"}
        timeout = None if leisure else self.timeout
        if c["name"] == "encrypt":
            params["plaintext"] = base64.b64decode(c["body"])
        result: Object = getattr(self.device, c["name"])(**params, timeout=timeout)
        return result

    def answer(self, q: Object) -> None:
        try:
            said: Object = {"result": self.open(q["open"]) if "open" in q else self.call(q["call"], q.get("leisure", False))}
        except pawl.PawlError as e:
            said = {"failed": e.more}
        except Exception as e:
            said = {"failed": {"code": "other", "message": f"{type(e).__name__}: {e}"}}
        with self.saying:
            sys.stdout.write(json.dumps({"number": q["number"], **said}) + "\n")
            sys.stdout.flush()

    def serve(self) -> None:
        busy: list[threading.Thread] = []
        for line in sys.stdin:
            q = json.loads(line)
            if "open" in q:  # before what comes after it
                self.answer(q)
                continue
            busy = [t for t in busy if t.is_alive()]
            busy.append(threading.Thread(target=self.answer, args=(q,)))
            busy[-1].start()
        for thread in busy:
            thread.join()
        if hasattr(self, "store"):
            self.store.close()


Child().serve()
