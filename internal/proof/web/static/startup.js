// From the load of a page to the first event that it decrypts, with the store of an earlier one:
// with Pawl's module, or with matrix-sdk-crypto-wasm; or to the end of a Go program that only says
// hello. The first page makes the store, and uses it for a while: a browser keeps of a program
// what it has compiled because it runs often.
const asked = new URLSearchParams(location.search), [whose, what, name] = asked.getAll("arg");
const { room, sender, session, sessionKey, senderKey, signs, event } = await (await fetch("/startup.json")).json();
const user = "@alice:example.org", device = "PHONE", key = new Uint8Array(32);

const kinds = {
	async ours() {
		const { open } = await import("/pawl/pawl.js");
		const store = await open({ name, key });
		const machine = await store.openOrCreate({ user, device });
		return {
			import: async () => {
				const bytes = Uint8Array.from(atob(sessionKey), (c) => c.charCodeAt(0));
				const made = await machine.importRoomKeys({ keys: [{ roomId: room, sessionId: session, sessionKey: bytes, senderKey, senderClaimedEd25519Key: signs, provenance: "file" }] });
				return made.new;
			},
			read: async () => (await machine.decryptRoomEvent({ room, id: event.event_id, sender }, JSON.stringify(event.content))).content,
		};
	},
	async hello() { // Go alone
		await import("/wasm_exec.js");
		const go = new Go();
		await go.run((await WebAssembly.instantiateStreaming(fetch("/hello.wasm"), go.importObject)).instance);
		return { read: async () => JSON.stringify({ body: "hello" }) };
	},
	async theirs() {
		const sdk = await import("/sdk/index.mjs");
		await sdk.initAsync();
		const machine = await sdk.OlmMachine.initFromStore(new sdk.UserId(user), new sdk.DeviceId(device), await sdk.StoreHandle.openWithKey(name, key));
		const exported = [{
			algorithm: "m.megolm.v1.aes-sha2", room_id: room, session_id: session, session_key: sessionKey,
			sender_key: senderKey, sender_claimed_keys: { ed25519: signs }, forwarding_curve25519_key_chain: [],
		}];
		return {
			import: async () => (await machine.importExportedRoomKeys(JSON.stringify(exported), () => {})).importedCount,
			read: async () => {
				const settings = new sdk.DecryptionSettings(sdk.TrustRequirement.Untrusted);
				return JSON.stringify(JSON.parse((await machine.decryptRoomEvent(JSON.stringify(event), new sdk.RoomId(room), settings)).event).content);
			},
		};
	},
};

let said, code = 0;
try {
	const does = await kinds[whose](), result = await does[what]();
	said = `${performance.now()} ${result}`;
	if (what === "import") for (let n = 0; n < 300; n++) await does.read();
} catch (e) {
	said = `${e} ${e.stack}`;
	code = 1;
}
await fetch("/out?id=" + asked.get("id"), { method: "POST", body: said });
await fetch(`/exit?id=${asked.get("id")}&code=${code}`, { method: "POST" });
