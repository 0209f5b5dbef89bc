"""Machines: an account of a store, and every call on it.

Each method is the call of its name in docs/calls.txt: parameters by their names, what
goes beside them as bytes, and the result as a dict. All take timeout, in seconds, and
token, which cancels the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Sequence

from . import _native
from ._native import Result, Token

if TYPE_CHECKING:
    from ._native import Limits, Unpack
    from .store import Stream


class Machine:
    """An account of a store. Any number of threads and processes may use it at once."""

    def __init__(self, handle: int, stream: Callable[[int, str, Result], Stream]):
        self.handle = handle
        self._stream = stream

    def _call(self, name: str, params: Result, body: bytes = b"", timeout: float | None = None, token: Token | None = None) -> Result:
        return _native.call(self.handle, name, params, body, timeout, token)

    def close(self) -> None:
        """Closes the machine and its streams; the store stays open."""
        _native.check(_native.lib.pawl_close(self.handle))

    def abandon(self, one_time_keys: Sequence[str] | None = None, fallback: str | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("abandon", {"one_time_keys": one_time_keys, "fallback": fallback}, **how)

    def accept_identity(self, user: str, master: str, **how: Unpack[Limits]) -> Result:
        return self._call("accept_identity", {"user": user, "master": master}, **how)

    def acknowledge(self, receipts: Sequence[str], **how: Unpack[Limits]) -> Result:
        return self._call("acknowledge", {"receipts": receipts}, **how)

    def acknowledge_known(self, receipts: Sequence[str], **how: Unpack[Limits]) -> Result:
        return self._call("acknowledge_known", {"receipts": receipts}, **how)

    def change_extra(self, space: str, name: str, old: str | None = None, new: str | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("change_extra", {"space": space, "name": name, "old": old, "new": new}, **how)

    def check(self, **how: Unpack[Limits]) -> Result:
        return self._call("check", {}, **how)

    def decrypt(self, sender: str, message: Result, **how: Unpack[Limits]) -> Result:
        return self._call("decrypt", {"sender": sender, "message": message}, **how)

    def decrypt_batch(self, messages: Sequence[Result], **how: Unpack[Limits]) -> Result:
        return self._call("decrypt_batch", {"messages": messages}, **how)

    def decrypt_room_event(self, room: str, sender: str, content: bytes, id: str | None = None, allow_mismatched: bool | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("decrypt_room_event", {"room": room, "id": id, "sender": sender, "allow_mismatched": allow_mismatched}, content, **how)

    def devices(self, user: str, **how: Unpack[Limits]) -> Result:
        return self._call("devices", {"user": user}, **how)

    def encrypt(self, peer: str, plaintext: bytes, one_time_key: str | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("encrypt", {"peer": peer, "one_time_key": one_time_key}, plaintext, **how)

    def encrypt_room_event(self, room: str, type: str, content: bytes, state_key: str | None = None, relation_inside: bool | None = None, relation_outside: str | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("encrypt_room_event", {"room": room, "type": type, "state_key": state_key, "relation_inside": relation_inside, "relation_outside": relation_outside}, content, **how)

    def export_room_key_file(self, passphrase: str, rooms: Sequence[str] | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("export_room_key_file", {"passphrase": passphrase, "rooms": rooms}, **how)

    def extra(self, space: str, name: str, **how: Unpack[Limits]) -> Result:
        return self._call("extra", {"space": space, "name": name}, **how)

    def extras(self, space: str, **how: Unpack[Limits]) -> Result:
        return self._call("extras", {"space": space}, **how)

    def forget_room_keys(self, room: str | None = None, device: str | None = None, session: str | None = None, below: int | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("forget_room_keys", {"room": room, "device": device, "session": session, "below": below}, **how)

    def identity(self, **how: Unpack[Limits]) -> Result:
        return self._call("identity", {}, **how)

    def import_room_key_file(self, passphrase: str, file: bytes, rooms: Sequence[str] | None = None, dry_run: bool | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("import_room_key_file", {"passphrase": passphrase, "rooms": rooms, "dry_run": dry_run}, file, **how)

    def import_room_keys(self, keys: Sequence[Result], **how: Unpack[Limits]) -> Result:
        return self._call("import_room_keys", {"keys": keys}, **how)

    def inherit_room_keys(self, user: str, device: str, **how: Unpack[Limits]) -> Result:
        return self._call("inherit_room_keys", {"user": user, "device": device}, **how)

    def inspect(self, **how: Unpack[Limits]) -> Result:
        return self._call("inspect", {}, **how)

    def keys_for_upload(self, count: int, **how: Unpack[Limits]) -> Result:
        return self._call("keys_for_upload", {"count": count}, **how)

    def lost_sync(self, ticket: int, **how: Unpack[Limits]) -> Result:
        return self._call("lost_sync", {"ticket": ticket}, **how)

    def mark_failed(self, request: str, why: str, body: bytes = b"", status: int | None = None, until: int | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("mark_failed", {"request": request, "why": why, "status": status, "until": until}, body, **how)

    def mark_published(self, one_time_keys: Sequence[str] | None = None, fallback: str | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("mark_published", {"one_time_keys": one_time_keys, "fallback": fallback}, **how)

    def mark_sent(self, request: str, response: bytes, **how: Unpack[Limits]) -> Result:
        return self._call("mark_sent", {"request": request}, response, **how)

    def members_changed(self, room: str, changes: Sequence[Result], limited: bool | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("members_changed", {"room": room, "changes": changes, "limited": limited}, **how)

    def needs_recovery(self, **how: Unpack[Limits]) -> Result:
        return self._call("needs_recovery", {}, **how)

    def next_sliding_sync(self, **how: Unpack[Limits]) -> Result:
        return self._call("next_sliding_sync", {}, **how)

    def next_sync(self, **how: Unpack[Limits]) -> Result:
        return self._call("next_sync", {}, **how)

    def outgoing_requests(self, **how: Unpack[Limits]) -> Result:
        return self._call("outgoing_requests", {}, **how)

    def outstanding(self, **how: Unpack[Limits]) -> Result:
        return self._call("outstanding", {}, **how)

    def put_room_keys(self, keys: Sequence[Result], **how: Unpack[Limits]) -> Result:
        return self._call("put_room_keys", {"keys": keys}, **how)

    def receive_sync(self, ticket: int, response: bytes, hold_token: bool | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("receive_sync", {"ticket": ticket, "hold_token": hold_token}, response, **how)

    def receive_transaction(self, id: str, body: bytes, **how: Unpack[Limits]) -> Result:
        return self._call("receive_transaction", {"id": id}, body, **how)

    def recover(self, **how: Unpack[Limits]) -> Result:
        return self._call("recover", {}, **how)

    def request_room_key(self, room: str, session: str, **how: Unpack[Limits]) -> Result:
        return self._call("request_room_key", {"room": room, "session": session}, **how)

    def room(self, room: str, **how: Unpack[Limits]) -> Result:
        return self._call("room", {"room": room}, **how)

    def room_key(self, session: str, **how: Unpack[Limits]) -> Result:
        return self._call("room_key", {"session": session}, **how)

    def rotate_room_key(self, room: str, **how: Unpack[Limits]) -> Result:
        return self._call("rotate_room_key", {"room": room}, **how)

    def sessions(self, peer: str, **how: Unpack[Limits]) -> Result:
        return self._call("sessions", {"peer": peer}, **how)

    def share_room_key(self, room: str, members: Sequence[str], algorithm: str | None = None, messages: int | None = None, age: int | None = None, visibility: str | None = None, strategy: str | None = None, allow: Sequence[Result] | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("share_room_key", {"room": room, "members": members, "algorithm": algorithm, "messages": messages, "age": age, "visibility": visibility, "strategy": strategy, "allow": allow}, **how)

    def sign(self, object: bytes, **how: Unpack[Limits]) -> Result:
        return self._call("sign", {}, object, **how)

    def store_token(self, held: int, **how: Unpack[Limits]) -> Result:
        return self._call("store_token", {"held": held}, **how)

    def sweep(self, now: int | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("sweep", {"now": now}, **how)

    def take_signature(self, user: str, master: str, by: str, signature: str, **how: Unpack[Limits]) -> Result:
        return self._call("take_signature", {"user": user, "master": master, "by": by, "signature": signature}, **how)

    def track_users(self, users: Sequence[str], **how: Unpack[Limits]) -> Result:
        return self._call("track_users", {"users": users}, **how)

    def verify_identity(self, user: str, master: str, **how: Unpack[Limits]) -> Result:
        return self._call("verify_identity", {"user": user, "master": master}, **how)

    def wait_for_room_key(self, room: str, session: str, sender: str | None = None, **how: Unpack[Limits]) -> Result:
        return self._call("wait_for_room_key", {"room": room, "session": session, "sender": sender}, **how)

    def events(self, after: str | None = None) -> Stream:
        return self._stream(self.handle, "events", {"after": after})

    def export_room_keys(self, rooms: Sequence[str] | None = None, skip_damaged: bool | None = None) -> Stream:
        return self._stream(self.handle, "export_room_keys", {"rooms": rooms, "skip_damaged": skip_damaged})
