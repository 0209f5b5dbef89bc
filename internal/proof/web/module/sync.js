// A sync of many events in a page, which has to go on meanwhile.
"use strict";

globalThis.longSync = async (pawl) => {
	const events = 1000, key = crypto.getRandomValues(new Uint8Array(32));
	const names = { alice: { user: "@alice:example.org", device: "PHONE" }, bob: { user: "@bob:example.org", device: "PHONE" } };
	const mine = await pawl.open({ name: crypto.randomUUID(), key }), theirs = await pawl.open({ engine: "memory", key });
	const alice = await mine.create(names.alice), bob = await theirs.create(names.bob);
	const a = await alice.identity(), b = await bob.identity();
	const upload = await alice.keysForUpload({ count: 1 });
	await alice.markPublished({ oneTimeKeys: upload.oneTimeKeys, fallback: upload.fallback });
	const [{ key: oneTimeKey }] = Object.values(JSON.parse(upload.body).one_time_keys);

	const list = [];
	for (let n = 0; n < events; n++) {
		const payload = { type: "org.example.note", content: { n }, sender: b.userId, recipient: a.userId, recipient_keys: { ed25519: a.ed25519 }, keys: { ed25519: b.ed25519 } };
		const { message } = await bob.encrypt({ peer: a.curve25519, oneTimeKey: n === 0 ? oneTimeKey : "" }, JSON.stringify(payload));
		const body = btoa(String.fromCharCode(...message.body)).replace(/=+$/, "");
		list.push({ type: "m.room.encrypted", sender: b.userId, content: { algorithm: "m.olm.v1.curve25519-aes-sha2", sender_key: b.curve25519, ciphertext: { [a.curve25519]: { type: message.type, body } } } });
	}
	const { ticket } = await alice.nextSync();
	const response = JSON.stringify({ next_batch: "s1", to_device: { events: list } });

	const long = [];
	const observer = new PerformanceObserver((seen) => long.push(...seen.getEntries().map((task) => Math.round(task.duration))));
	observer.observe({ type: "longtask" });
	let turns = 0, going = true;
	const { port1, port2 } = new MessageChannel();
	port1.onmessage = () => { turns++; if (going) port2.postMessage(null); };
	port2.postMessage(null);
	const began = performance.now(), got = await alice.receiveSync({ ticket }, response), took = performance.now() - began;
	going = false;
	long.push(...observer.takeRecords().map((task) => Math.round(task.duration)));
	observer.disconnect();

	if (got.events.length !== events) throw new Error(`${got.events.length} of ${events} events were read, ${got.refused.length} refused`);
	if (turns < events / 10) throw new Error(`the page had ${turns} turns while ${events} events were read`);
	const line = `${events} events in ${Math.round(took)} ms, ${turns} turns of the page meanwhile, ${long.length} tasks over 50 ms: ${long.sort((a, b) => b - a).slice(0, 10)}; memory ${(mine.memory / 2 ** 20).toFixed(1)} MiB`;
	await mine.close();
	await theirs.close();
	return line;
};
