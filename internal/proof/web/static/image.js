// A database of IndexedDB as JSON: a page makes a store and says what is in its database, or
// puts such a database in place, opens the store and reads an event with it. Bytes are
// {"bytes": hexadecimal}; numbers and texts are themselves.
import { open } from "/pawl/pawl.js";

const asked = new URLSearchParams(location.search), [what, name] = asked.getAll("arg");
const image = await (await fetch("/image.json")).json();
const key = unhex(image.key);

function unhex(text) {
	return Uint8Array.from(text.match(/../g), (b) => parseInt(b, 16));
}

function plain(value) {
	if (value instanceof Uint8Array) return { bytes: Array.from(value, (b) => b.toString(16).padStart(2, "0")).join("") };
	if (value instanceof ArrayBuffer) return plain(new Uint8Array(value)); // a key
	if (typeof value !== "object") return value;
	return Object.fromEntries(Object.entries(value).map(([field, v]) => [field, plain(v)]));
}

function stored(value) {
	if (typeof value !== "object") return value;
	if (typeof value.bytes === "string") return unhex(value.bytes);
	return Object.fromEntries(Object.entries(value).map(([field, v]) => [field, stored(v)]));
}

function settled(request) {
	return new Promise((resolve, reject) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
		request.onblocked = () => reject(new Error("blocked"));
	});
}

async function dump() {
	const db = await settled(indexedDB.open(name)), stores = [];
	for (const of of db.objectStoreNames) {
		const store = db.transaction(of).objectStore(of);
		const [keys, values] = await Promise.all([settled(store.getAllKeys()), settled(store.getAll())]);
		const indexes = Array.from(store.indexNames, (index) => ({ name: index, path: store.index(index).keyPath }));
		stores.push({ name: of, indexes, rows: keys.map((k, i) => ({ key: plain(k), value: plain(values[i]) })) });
	}
	const version = db.version;
	db.close();
	return { version, stores };
}

async function restore({ version, stores }) {
	const request = indexedDB.open(name, version);
	request.onupgradeneeded = () => {
		for (const { name: of, indexes, rows } of stores) {
			const store = request.result.createObjectStore(of);
			for (const index of indexes) store.createIndex(index.name, index.path);
			for (const row of rows) store.put(stored(row.value), stored(row.key));
		}
	};
	(await settled(request)).close();
}

const does = {
	async make() {
		const store = await open({ name, key });
		const machine = await store.openOrCreate({ user: image.user, device: image.device });
		await machine.importRoomKeys({ keys: [{ ...image.roomKey, sessionKey: unhex(image.roomKey.sessionKey) }] });
		await store.close();
		return dump();
	},
	async read() {
		await restore(image.database);
		const store = await open({ name, key });
		const machine = await store.machine({ user: image.user, device: image.device });
		const { room, id, sender, content } = image.event;
		const read = await machine.decryptRoomEvent({ room, id, sender }, JSON.stringify(content));
		return { content: JSON.parse(read.content), broken: (await machine.check()).broken };
	},
};

let said, code = 0;
try {
	said = JSON.stringify(await does[what]());
} catch (e) {
	said = `${e} ${e.stack}`;
	code = 1;
}
await fetch("/out?id=" + asked.get("id"), { method: "POST", body: said });
await fetch(`/exit?id=${asked.get("id")}&code=${code}`, { method: "POST" });
