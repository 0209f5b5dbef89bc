// What is expected of the module beside its calls, in a worker of a browser. Each case throws
// when it is not so.
"use strict";

globalThis.cases = (pawl) => {
	const codeOf = (promise) => promise.then(() => "none", (e) => e.code);
	const expect = (is, want, what) => {
		if (is !== want) throw new Error(`${what}: ${is}, want ${want}`);
	};
	const alice = { user: "@alice:example.org", device: "PHONE" };
	const never = { room: "!r:example.org", session: "A".repeat(43), sender: "@bob:example.org" };
	const fresh = () => ({ name: crypto.randomUUID() });
	const hkdf = async (bytes) => crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits"]);
	const memory = { engine: "memory", key: new Uint8Array(32) };

	/** Keys of n room sessions, which are whatever bytes there are. */
	const roomKeys = (n) => Array.from({ length: n }, () => {
		const bytes = crypto.getRandomValues(new Uint8Array(165)), text = (b) => btoa(String.fromCharCode(...b)).replace(/=+$/, "");
		bytes.set([1, 0, 0, 0, 0]);
		return { roomId: never.room, sessionId: text(bytes.subarray(133)), sessionKey: bytes, senderKey: "A".repeat(43), senderClaimedEd25519Key: "A".repeat(43), provenance: "file" };
	});

	/** Opens a store, does something, and closes it. */
	const within = async (how, does) => {
		const store = await pawl.open(how);
		try {
			return await does(await store.openOrCreate(alice), store);
		} finally {
			await store.close();
		}
	};

	return {
		"signals, deadlines, and what is closed": () => within(memory, async (machine) => {
			const stop = new AbortController(), waits = machine.waitForRoomKey(never, { signal: stop.signal });
			stop.abort("enough");
			const e = await waits.catch((e) => e);
			expect(e.code + " " + e.cause, "canceled enough", "a call that is canceled");
			expect(await codeOf(machine.identity({ signal: stop.signal })), "canceled", "a call that was canceled before");
			expect(await codeOf(machine.waitForRoomKey(never, { deadline: 10 })), "deadline", "a call after its deadline");
			expect(await codeOf(machine.decrypt({ sender: "none" })), "params", "parameters that are none");
			const events = machine.events();
			expect((await events.next()).value.kind, "resync", "the first event");
			expect(await codeOf((async () => { for await (const _ of machine.events({}, { deadline: 10 })); })()), "deadline", "an event after its deadline");
			await events.return();
			expect((await events.next()).done, true, "a stream that was returned");
			await machine.close();
			expect(await codeOf(machine.identity()), "handle", "a machine that was closed");
		}),

		"a closed store": async () => {
			let kept;
			await within(memory, async (machine) => { kept = machine; });
			expect(await codeOf(kept.identity()), "ended", "a machine of a closed store");
			await kept.close();
		},

		"keys that are wiped": async () => {
			const how = fresh(), key = crypto.getRandomValues(new Uint8Array(32)), wiped = key.slice();
			const opening = pawl.open({ ...how, key: wiped });
			wiped.fill(0);
			const store = await opening;
			await store.create(alice);
			await store.close();
			expect(await codeOf(pawl.open({ ...how, key: wiped })), "passphrase", "another key");
			await within({ ...how, key }, (machine) => machine.identity());
		},

		"a key of HKDF": async () => {
			const how = fresh(), key = crypto.getRandomValues(new Uint8Array(32));
			const first = await within({ ...how, cryptoKey: await hkdf(key) }, (machine) => machine.identity());
			const again = await within({ ...how, cryptoKey: await hkdf(key) }, (machine) => machine.identity());
			expect(again.ed25519, first.ed25519, "the device");
			key[0] ^= 1;
			expect(await codeOf(pawl.open({ ...how, cryptoKey: await hkdf(key) })), "passphrase", "another key");
		},

		"a key of AES-GCM": async () => {
			const how = fresh(), make = () => crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
			const cryptoKey = await make(), wrapped = await pawl.newWrappedKey(cryptoKey);
			const first = await within({ ...how, cryptoKey, wrapped }, (machine) => machine.identity());
			const again = await within({ ...how, cryptoKey, wrapped }, (machine) => machine.identity());
			expect(again.ed25519, first.ed25519, "the device");
			expect(await codeOf(pawl.open({ ...how, cryptoKey: await make(), wrapped })), "secret", "another key");
			expect(await codeOf(pawl.open({ ...how, cryptoKey })), "secret", "nothing that was wrapped");
			const open = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]);
			expect(await codeOf(pawl.open({ ...how, cryptoKey: open, wrapped })), "secret", "a key that scripts can copy");
			expect(await codeOf(pawl.open({ ...how, key: new Uint8Array(31) })), "secret", "a key of 31 bytes");
			expect(await codeOf(pawl.open(how)), "secret", "no key");
		},

		"no randomness": async () => {
			Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
			const code = await codeOf(pawl.open(memory));
			delete globalThis.crypto;
			expect(code, "randomness", "open without crypto");
			await within(memory, (machine) => machine.identity());
		},

		"a witness": async () => {
			let kept = null, lost = 1, saves = 0;
			const witness = {
				load: () => kept, // not a promise, which is taken all the same
				async save(mark, old) {
					saves++;
					if (old !== kept || lost-- > 0) return false; // the first is lost to another tab
					kept = mark;
				},
			};
			const how = { ...fresh(), key: new Uint8Array(32), witness };
			await within(how, async (machine) => {
				expect((await machine.needsRecovery()).needed, false, "a store that its witness knows");
				await machine.keysForUpload({ count: 1 });
			});
			if (saves < 2) throw new Error(`the witness saved ${saves} times`);
			const mark = JSON.parse(kept);
			kept = JSON.stringify({ ...mark, Head: mark.Head + 1000 });
			await within(how, async (machine) => {
				expect((await machine.needsRecovery()).needed, true, "a store that went back in time");
				expect(await codeOf(machine.keysForUpload({ count: 1 })), "needs_recovery", "a call that sends");
				await machine.recover();
				expect((await machine.needsRecovery()).needed, false, "a store that was recovered");
			});
			const fails = { load: () => { throw new Error("offline"); }, save: witness.save };
			const e = await pawl.open({ ...how, witness: fails }).catch((e) => e);
			if (e.code === undefined || e.message.includes("offline")) throw new Error(`a witness that fails: ${e.code} ${e.message}`);
		},

		"a program that ends": async () => {
			const instantiate = WebAssembly.instantiate;
			let memoryOf;
			WebAssembly.instantiate = async (...args) => {
				const made = await instantiate(...args);
				memoryOf = made.exports.mem;
				return made;
			};
			const how = { ...fresh(), key: new Uint8Array(32) };
			const store = await pawl.open(how), machine = await store.create(alice), before = await machine.identity();
			WebAssembly.instantiate = instantiate;
			const waits = codeOf(machine.waitForRoomKey(never)), events = machine.events();
			await events.next();
			const next = codeOf(events.next());
			await machine.identity(); // those wait by now
			new Uint8Array(memoryOf.buffer).fill(0xff);
			expect(await codeOf(machine.identity()), "unknown", "the call in which it ends");
			expect(await waits, "unknown", "a call that waits");
			expect(await next, "unknown", "an event that is waited for");
			expect((await events.next()).done, true, "the events after it");
			expect(await codeOf(machine.identity()), "ended", "a call after it");
			await store.close();
			const again = await within(how, (machine) => machine.identity());
			expect(again.ed25519, before.ed25519, "the device");
		},

		"a program that ends while it writes": async () => {
			const instantiate = WebAssembly.instantiate, put = IDBObjectStore.prototype.put;
			let memoryOf;
			WebAssembly.instantiate = async (...args) => {
				const made = await instantiate(...args);
				memoryOf = made.exports.mem;
				return made;
			};
			const how = { ...fresh(), key: new Uint8Array(32) }, extra = { space: "s", name: "n" };
			const store = await pawl.open(how), machine = await store.create(alice);
			WebAssembly.instantiate = instantiate;
			await machine.changeExtra({ ...extra, new: new Uint8Array([1]) });
			IDBObjectStore.prototype.put = function (...args) { // the first of several
				IDBObjectStore.prototype.put = put;
				const made = put.apply(this, args);
				new Uint8Array(memoryOf.buffer).fill(0xff);
				return made;
			};
			const code = await codeOf(machine.changeExtra({ ...extra, old: new Uint8Array([1]), new: new Uint8Array([2]) }));
			expect(code, "unknown", "the call in which it ends");
			await store.close();
			await within(how, async (machine, store) => {
				expect((await machine.extra(extra)).value[0], 1, "what half a commit would have changed");
				await machine.check();
				await machine.changeExtra({ ...extra, old: new Uint8Array([1]), new: new Uint8Array([3]) });
				expect((await machine.extra(extra)).value[0], 3, "what the next commit changes");
			});
		},

		"a program that ends between parts of what it writes": async () => {
			const instantiate = WebAssembly.instantiate, put = IDBObjectStore.prototype.put, keys = roomKeys(300);
			let memoryOf, puts = 0, last = 0;
			WebAssembly.instantiate = async (...args) => {
				const made = await instantiate(...args);
				memoryOf = made.exports.mem;
				return made;
			};
			const how = { ...fresh(), key: new Uint8Array(32) };
			const store = await pawl.open(how), machine = await store.create(alice);
			WebAssembly.instantiate = instantiate;
			IDBObjectStore.prototype.put = function (...args) {
				if (puts++ === 0) queueMicrotask(() => { // all of the first part were made
					last = puts;
					new Uint8Array(memoryOf.buffer).fill(0xff);
					codeOf(machine.identity()); // it ends here, and not when it is told of what was written
				});
				return put.apply(this, args);
			};
			const code = await codeOf(machine.importRoomKeys({ keys }));
			IDBObjectStore.prototype.put = put;
			expect(code, "unknown", "the call in which it ends");
			expect(puts, last, "writes after the program has ended");
			if (last < 100 || last >= keys.length) throw new Error(`the first part of what is written has ${last} of them`);
			await store.close();
			await within(how, async (machine, store) => {
				expect((await machine.importRoomKeys({ keys })).new, keys.length, "keys that are new, of an import of which half was written");
				await machine.check();
			});
		},

		"a program of another build": async () => {
			const module = await WebAssembly.compileStreaming(fetch("/pawl/pawl.wasm"));
			const bytes = new Uint8Array(await (await fetch("/pawl/pawl.wasm")).arrayBuffer());
			const mark = new TextEncoder().encode('{"go":"go');
			let at = bytes.length - mark.length;
			while (!mark.every((b, i) => bytes[at + i] === b)) at--;
			bytes[at + mark.length] ^= 1;
			pawl.configure({ wasm: bytes });
			const code = await codeOf(pawl.open(memory));
			pawl.configure({ wasm: module });
			expect(code, "program", "a program of another Go");
			await within(memory, (machine) => machine.identity());
		},

		"secrets": async () => {
			const seen = [];
			pawl.configure({ log: (line) => seen.push(line) });
			const post = BroadcastChannel.prototype.postMessage, request = LockManager.prototype.request;
			BroadcastChannel.prototype.postMessage = function (said) { seen.push(this.name, JSON.stringify(said)); return post.call(this, said); };
			LockManager.prototype.request = function (name, ...more) { seen.push(name); return request.call(this, name, ...more); };
			const how = fresh(), key = crypto.getRandomValues(new Uint8Array(32)), other = crypto.getRandomValues(new Uint8Array(32));
			try {
				await within({ ...how, key }, async (machine, store) => {
					await machine.keysForUpload({ count: 1 });
					const e = await machine.encrypt({ peer: "A".repeat(43) }, "the plaintext").catch((e) => e);
					seen.push(e.message);
					await store.changeKey(other);
				});
				seen.push((await pawl.open({ ...how, key }).catch((e) => e)).message);
				seen.push((await pawl.open({ ...how, passphrase: new TextEncoder().encode("correct horse") }).catch((e) => e)).message);
			} finally {
				BroadcastChannel.prototype.postMessage = post;
				LockManager.prototype.request = request;
			}
			const forms = ["the plaintext", "correct horse"];
			for (const b of [key, other]) forms.push(btoa(String.fromCharCode(...b)).slice(0, 42), [...b].map((n) => n.toString(16).padStart(2, "0")).join(""), b.join(","), b.join(" "));
			if (seen.length < 8) throw new Error(`only ${seen.length} texts were seen`);
			for (const text of seen) for (const form of forms) if (String(text).includes(form)) throw new Error("a secret is in " + text);
		},
	};
};
