// What many messages at once take in a page, which has to go on meanwhile.
"use strict";

{
	const names = { alice: { user: "@alice:example.org", device: "PHONE" }, bob: { user: "@bob:example.org", device: "PHONE" } };

	/** Alice on IndexedDB, opened by key, and n messages of Bob's for her. */
	const written = async (pawl, n) => {
		const how = { name: crypto.randomUUID(), key: crypto.getRandomValues(new Uint8Array(32)) }, messages = [];
		const made = await pawl.open(how), theirs = await pawl.open({ engine: "memory", key: how.key });
		let alice = await made.create(names.alice), bob = await theirs.create(names.bob);
		const a = await alice.identity(), b = await bob.identity();
		const upload = await alice.keysForUpload({ count: 1 });
		await alice.markPublished({ oneTimeKeys: upload.oneTimeKeys, fallback: upload.fallback });
		const [{ key: oneTimeKey }] = Object.values(JSON.parse(upload.body).one_time_keys);
		for (let i = 0; i < n; i++) {
			const payload = { type: "org.example.note", content: { i }, sender: b.userId, recipient: a.userId, recipient_keys: { ed25519: a.ed25519 }, keys: { ed25519: b.ed25519 } };
			messages.push((await bob.encrypt({ peer: a.curve25519, oneTimeKey: i === 0 ? oneTimeKey : "" }, JSON.stringify(payload))).message);
		}
		await theirs.close();
		await made.close(); // and so the program begins anew, with no memory of all that
		const mine = await pawl.open(how);
		alice = await mine.openOrCreate(names.alice);
		return { mine, alice, messages, a, b };
	};

	const memoryOf = (store) => `memory ${(store.memory / 2 ** 20).toFixed(1)} MiB`;

	/** Counts what one task asks IndexedDB for: the most is returned by what it returns. */
	const countRequests = () => {
		const kinds = [[IDBObjectStore, ["get", "getKey", "getAll", "getAllKeys", "put", "delete", "openKeyCursor"]], [IDBIndex, ["get", "getKey"]]], undo = [];
		let now = 0, most = 0;
		for (const [{ prototype }, methods] of kinds) for (const method of methods) {
			const real = prototype[method];
			prototype[method] = function (...args) {
				if (now++ === 0) queueMicrotask(() => { // nothing of the program is under way any more
					most = Math.max(most, now);
					now = 0;
				});
				return real.apply(this, args);
			};
			undo.push(() => { prototype[method] = real; });
		}
		return () => {
			for (const one of undo) one();
			return most;
		};
	};

	/** A sync of many events: what the page can do meanwhile, and what the program has of memory then. */
	globalThis.longSync = async (pawl, events) => {
		const { mine, alice, messages, a, b } = await written(pawl, events);
		const list = messages.map((message) => {
			const body = btoa(String.fromCharCode(...message.body)).replace(/=+$/, "");
			return { type: "m.room.encrypted", sender: b.userId, content: { algorithm: "m.olm.v1.curve25519-aes-sha2", sender_key: b.curve25519, ciphertext: { [a.curve25519]: { type: message.type, body } } } };
		});
		const { ticket } = await alice.nextSync();
		const response = JSON.stringify({ next_batch: "s1", to_device: { events: list } });

		const long = [];
		const observer = new PerformanceObserver((seen) => long.push(...seen.getEntries().map((task) => Math.round(task.duration))));
		observer.observe({ type: "longtask" });
		let turns = 0, going = true;
		const { port1, port2 } = new MessageChannel();
		port1.onmessage = () => { turns++; if (going) port2.postMessage(null); };
		port2.postMessage(null);
		const most = countRequests();
		const began = performance.now(), got = await alice.receiveSync({ ticket }, response), took = performance.now() - began;
		going = false;
		const requests = most();
		long.push(...observer.takeRecords().map((task) => Math.round(task.duration)));
		observer.disconnect();

		if (got.events.length !== events) throw new Error(`${got.events.length} of ${events} events were read, ${got.refused.length} refused`);
		if (turns < events / 10) throw new Error(`the page had ${turns} turns while ${events} events were read`);
		if (requests < 64 || requests > 160) throw new Error(`a task makes up to ${requests} requests to IndexedDB, want about 128`);
		const line = `${events} events in ${Math.round(took)} ms, ${turns} turns of the page meanwhile, at most ${requests} requests at once, ${long.length} tasks over 50 ms: ${long.sort((a, b) => b - a).slice(0, 12)}; ${memoryOf(mine)}`;
		await mine.close();
		return line;
	};

	/** Many messages that are decrypted one after the other: what the program has of memory then. */
	globalThis.manyMessages = async (pawl, n) => {
		const { mine, alice, messages, a, b } = await written(pawl, n);
		const before = memoryOf(mine), began = performance.now();
		for (const message of messages) await alice.decrypt({ sender: b.curve25519, message });
		const line = `${n} messages in ${Math.round(performance.now() - began)} ms; ${memoryOf(mine)}, before ${before}`;
		await mine.close();
		return line;
	};
}
