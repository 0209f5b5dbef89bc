// matrix-sdk-crypto-wasm in a page, which does what a test tells it, as the actor does.
import { initAsync, OlmMachine, StoreHandle, UserId, DeviceId, DeviceLists, RequestType } from "/sdk/index.mjs";

const id = new URLSearchParams(location.search).get("id"), instance = crypto.randomUUID();
const post = async (path, body) => {
	const answer = await fetch(path + "?id=" + encodeURIComponent(id), { method: "POST", body: JSON.stringify(body) });
	if (!answer.ok) throw new Error(path + ": " + answer.statusText);
	return answer.text();
};

let machine;
const request = async (type) => {
	for (const r of await machine.outgoingRequests()) if (r.type === type) return r;
	throw new Error("there is no request of type " + type);
};
const steps = {
	async open(user, device, store) {
		await initAsync();
		machine = await OlmMachine.initFromStore(new UserId(user), new DeviceId(device), await StoreHandle.openWithKey(store, new Uint8Array(32)));
		return machine.identityKeys.curve25519.toBase64() + " " + machine.identityKeys.ed25519.toBase64();
	},
	async upload() {
		const r = await request(RequestType.KeysUpload);
		await machine.markRequestAsSent(r.id, r.type, JSON.stringify({ one_time_key_counts: { signed_curve25519: 50 } }));
		return r.body;
	},
	async query(user, answer) {
		await machine.updateTrackedUsers([new UserId(user)]);
		const r = await request(RequestType.KeysQuery);
		await machine.markRequestAsSent(r.id, r.type, answer);
		return "";
	},
	async receive(event) {
		const got = await machine.receiveSyncChanges("[" + event + "]", new DeviceLists(), new Map([["signed_curve25519", 50]]), undefined);
		return got.length === 1 && got[0].type === 0 ? "decrypted" : "unable";
	},
	async send(user, device) {
		const d = await machine.getDevice(new UserId(user), new DeviceId(device));
		return d.encryptToDeviceEvent("m.dummy", {});
	},
};

for (;;) {
	const step = JSON.parse(await post("/step", { Instance: instance }));
	let said;
	try {
		said = ("ok " + await steps[step.What](...(step.Args || []))).trim();
	} catch (e) {
		said = "failed: " + e;
	}
	await post("/did", { Number: step.Number, Said: said });
}
