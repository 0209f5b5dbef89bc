// A client of matrix-sdk-crypto that the tests drive, in Node, with its store in
// memory; in IndexedDB if there is one, and then "copy" keeps a copy of it and "restore"
// goes back to that. What it is asked for and what it tells is in package bot. It writes and
// reads encrypted m.text, as a client of these bindings must: requests in order,
// sessions before keys, keys before messages. "later" sets its clock ahead: it opens no
// session within an hour of the last. "identify" makes cross-signing keys, "strict" shares
// with cross-signed devices only, and a request to verify is accepted, and told as emoji.
import { createInterface } from "node:readline";
import {
  DecryptionSettings, DeviceId, DeviceLists, EncryptionSettings, OlmMachine, RequestType, RoomId, TrustRequirement, UserId, initAsync,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { copy, restore } from "./copies.mjs";
import { identify, strict, verify } from "./identity.mjs";

const say = (o) => process.stdout.write(JSON.stringify(o) + "\n");
const prefix = "/_matrix/client/v3/";
const part = encodeURIComponent;
const filter = part(JSON.stringify({ room: { timeline: { limit: 1000 } } })); // all of what the tests send

// One queue for all that changes the machine: its bindings are not for two at once.
let last = Promise.resolve();
const inTurn = (f) => (last = last.then(f, f));

// What is passed to the bindings is theirs from then on.
const anyone = () => new DecryptionSettings(TrustRequirement.Untrusted);

class Bot {
  rooms = new Map(); // room id -> {encrypted, members, rotation}
  pending = []; // events without a key yet
  since = undefined;
  had = undefined; // what the last sync said of the keys on the server
  stopping = undefined;

  async login(q) {
    await initAsync();
    Object.assign(this, { url: q.homeserver, token: q.access_token, user: q.user_id });
    this.device = q.device_id;
    await this.open("store");
    await inTurn(() => this.sendAll());
  }

  async open(store) {
    this.store = globalThis.indexedDB && store;
    this.machine = await OlmMachine.initialize(new UserId(this.user), new DeviceId(this.device), this.store);
  }

  async copy() {
    this.kept = { since: this.since, databases: await copy(this.store) };
  }

  async restore() {
    this.machine.close();
    await restore(this.kept.databases, "restored");
    this.since = this.kept.since;
    await this.open("restored");
  }

  async http(method, path, body, query = "") {
    const answer = await fetch(this.url + prefix + path + query, {
      method, body, headers: { Authorization: "Bearer " + this.token, "Content-Type": "application/json" },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text;
  }

  async sendAll() {
    for (const r of await this.machine.outgoingRequests()) await this.request(r);
  }

  async request(r) {
    const [method, path] = {
      [RequestType.KeysUpload]: ["POST", "keys/upload"],
      [RequestType.KeysQuery]: ["POST", "keys/query"],
      [RequestType.KeysClaim]: ["POST", "keys/claim"],
      [RequestType.ToDevice]: ["PUT", `sendToDevice/${part(r.event_type)}/${part(r.txn_id)}`],
      [RequestType.SignatureUpload]: ["POST", "keys/signatures/upload"],
      [RequestType.RoomMessage]: ["PUT", `rooms/${r.room_id}/send/${part(r.event_type)}/${part(r.txn_id)}`],
    }[r.type];
    const answer = await this.http(method, path, r.body);
    if (r.id) await this.machine.markRequestAsSent(r.id, r.type, answer);
  }

  start() {
    if (this.syncing) throw new Error("it syncs already");
    this.stopping = new AbortController();
    this.syncing = this.loop(this.stopping.signal);
  }

  async stop() {
    this.stopping?.abort();
    await this.syncing;
    this.syncing = undefined;
  }

  async loop(signal) {
    while (!signal.aborted) {
      try {
        const query = `?filter=${filter}&` + (this.since ? `timeout=30000&since=${part(this.since)}` : "timeout=0");
        const answer = await fetch(this.url + prefix + "sync" + query, { signal, headers: { Authorization: "Bearer " + this.token } });
        if (!answer.ok) throw new Error(`sync: ${answer.status} ${await answer.text()}`);
        const response = await answer.json();
        await inTurn(() => this.receive(response));
        this.since = response.next_batch;
        say({ event: "synced" });
      } catch (e) {
        if (signal.aborted) return;
        say({ event: "sync_error", error: String(e) });
        await new Promise((again) => setTimeout(again, 100));
      }
    }
  }

  async receive(s) {
    const ids = (l) => (l ?? []).map((u) => new UserId(u));
    const counts = new Map(Object.entries(s.device_one_time_keys_count ?? {}));
    const unused = s.device_unused_fallback_key_types && new Set(s.device_unused_fallback_key_types);
    // One at a time: of two keys of one session in one call the last one is kept, also
    // where it reads less. Senders of this make give a key again that is under way. Without
    // counts it would believe that the server has no keys, and upload more each time.
    const events = s.to_device?.events ?? [];
    const take = (some, changed, left, unused) =>
      this.machine.receiveSyncChanges(JSON.stringify(some), new DeviceLists(ids(changed), ids(left)), counts, unused, anyone());
    for (const e of events.slice(0, -1)) await take([e], [], [], undefined);
    // A call makes the public parts of all one-time keys again: none for what it was told
    // before.
    const { changed = [], left = [] } = s.device_lists ?? {};
    const had = JSON.stringify([s.device_one_time_keys_count, s.device_unused_fallback_key_types]);
    if (events.length + changed.length + left.length > 0 || had !== this.had) await take(events.slice(-1), changed, left, unused);
    this.had = had;
    for (const [id, room] of Object.entries(s.rooms?.join ?? {})) {
      for (const e of [...(room.state?.events ?? []), ...(room.timeline?.events ?? [])]) await this.state(id, e);
    }
    await this.sendAll();
    await verify(this, events, say);
    for (const e of this.pending.splice(0)) await this.show(e);
    for (const [id, room] of Object.entries(s.rooms?.join ?? {})) {
      for (const e of room.timeline?.events ?? []) await this.show({ ...e, room_id: id });
    }
  }

  later(q) {
    const before = Date.now;
    Date.now = () => before() + q.timeout_ms;
  }

  room(id) {
    if (!this.rooms.has(id)) this.rooms.set(id, { encrypted: false, members: new Set(), rotation: {} });
    return this.rooms.get(id);
  }

  async state(id, e) {
    const room = this.room(id);
    if (e.type === "m.room.encryption") [room.encrypted, room.rotation] = [true, e.content];
    if (e.type !== "m.room.member") return;
    const before = room.members.has(e.state_key);
    if (["join", "invite"].includes(e.content.membership)) room.members.add(e.state_key);
    else room.members.delete(e.state_key);
    if (room.encrypted || before !== room.members.has(e.state_key)) await this.machine.updateTrackedUsers([...room.members].map((u) => new UserId(u)));
    if (before && !room.members.has(e.state_key)) await this.machine.invalidateGroupSession(new RoomId(id));
  }

  async show(e) {
    if (e.type === "m.room.message") say(this.message(e, e.content, false));
    if (e.type !== "m.room.encrypted") return;
    try {
      say(this.message(e, await this.decrypt(e), true));
    } catch (error) {
      if (!e.told) say({ event: "undecryptable", room: e.room_id, event_id: e.event_id, sender: e.sender, error: String(error?.description ?? error) });
      this.pending.push({ ...e, told: true });
    }
  }

  message(e, content, encrypted) {
    return { event: "message", room: e.room_id, event_id: e.event_id, sender: e.sender, body: content.body, encrypted };
  }

  async decrypt(e) {
    const d = await this.machine.decryptRoomEvent(JSON.stringify(e), new RoomId(e.room_id), anyone());
    return JSON.parse(d.event).content;
  }

  async join(q) {
    await this.http("POST", `join/${part(q.room)}`, "{}");
  }

  async send(q) {
    const id = q.room;
    const room = this.room(id);
    if (!room.encrypted) throw new Error("the room is not known to be encrypted");
    const users = () => [...room.members].map((u) => new UserId(u));
    await this.machine.updateTrackedUsers(users());
    await this.sendAll();
    const claim = await this.machine.getMissingSessions(users());
    if (claim) await this.request(claim);
    const settings = new EncryptionSettings();
    if (this.strict) settings.sharingStrategy = strict();
    if (room.rotation.rotation_period_msgs) settings.rotationPeriodMessages = BigInt(room.rotation.rotation_period_msgs);
    for (const r of await this.machine.shareRoomKey(new RoomId(id), users(), settings)) await this.request(r);
    const content = await this.machine.encryptRoomEvent(new RoomId(id), "m.room.message", JSON.stringify({ msgtype: "m.text", body: q.body }));
    const txn = crypto.randomUUID();
    return { event_id: JSON.parse(await this.http("PUT", `rooms/${part(id)}/send/m.room.encrypted/${txn}`, content)).event_id };
  }

  async read(q) {
    const e = JSON.parse(await this.http("GET", `rooms/${part(q.room)}/event/${part(q.event_id)}`));
    const until = Date.now() + (q.timeout_ms ?? 0);
    for (;;) {
      try {
        const content = e.type === "m.room.encrypted" ? await inTurn(() => this.decrypt({ ...e, room_id: q.room })) : e.content;
        return { body: content.body, sender: e.sender };
      } catch (error) {
        if (Date.now() >= until) throw error;
        await new Promise((again) => setTimeout(again, 50));
      }
    }
  }
}

const bot = new Bot();
const commands = {
  login: (q) => bot.login(q), start: () => bot.start(), stop: () => bot.stop(), join: (q) => bot.join(q),
  send: (q) => inTurn(() => bot.send(q)), read: (q) => bot.read(q), later: (q) => bot.later(q),
  identify: () => inTurn(() => identify(bot)), strict: () => { bot.strict = true; },
  copy: () => inTurn(() => bot.copy()), restore: () => inTurn(() => bot.restore()),
};

for await (const line of createInterface({ input: process.stdin })) {
  const q = JSON.parse(line);
  const quit = q.cmd === "quit";
  const done = (async () => (quit ? bot.stop() : commands[q.cmd](q)))().then(
    (a) => say({ id: q.id, ok: true, ...a }),
    (e) => say({ id: q.id, ok: false, error: String(e?.stack ?? e) }),
  );
  if (!["send", "read"].includes(q.cmd)) await done;
  if (quit) break;
}
process.exit(0);
