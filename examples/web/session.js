// Who is logged in, and the key of the store: kept once for all pages and the service worker.

const within = (mode, does) =>
	new Promise((resolve, reject) => {
		const opening = indexedDB.open("example", 1);
		opening.onupgradeneeded = () => opening.result.createObjectStore("session");
		opening.onerror = () => reject(opening.error);
		opening.onsuccess = () => {
			const tx = opening.result.transaction("session", mode), asked = does(tx.objectStore("session"));
			tx.oncomplete = () => resolve(asked.result);
			tx.onabort = () => reject(tx.error);
			opening.result.close(); // once that has ended
		};
	});

/** The session: homeserver, user, device, token and cryptoKey; or undefined. */
export const load = () => within("readonly", (sessions) => sessions.get("session"));

/** Keeps a session, which must be the first, with a key that no script can copy. */
export async function save(session) {
	const bytes = crypto.getRandomValues(new Uint8Array(32));
	const cryptoKey = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits"]);
	bytes.fill(0);
	await within("readwrite", (sessions) => sessions.add({ ...session, cryptoKey }, "session"));
}
