// What unlocks a store: 32 bytes, a passphrase, or a key of the browser that no script can read.

import { PawlError } from "./errors.js";

const info = new TextEncoder().encode("pawl web: the key of a store, 1");
const nonceSize = 12;

const wrong = (message, cause) => new PawlError("secret", message, { cause });

/** Which secret open was given, as bytes of our own, which are wiped after it. */
export async function unlocking({ key, passphrase, cryptoKey, wrapped }) {
	if ([key, passphrase, cryptoKey].filter((given) => given !== undefined).length !== 1)
		throw wrong("give one of key, passphrase and cryptoKey");
	if (key !== undefined) return { secret: "key", bytes: copied(key, "key") };
	if (passphrase !== undefined) return { secret: "passphrase", bytes: copied(passphrase, "passphrase") };
	return { secret: "key", bytes: await unwrapped(cryptoKey, wrapped) };
}

function copied(given, name) {
	if (!(given instanceof Uint8Array)) throw wrong(`${name} must be an Uint8Array`);
	if (name === "key" && given.length !== 32) throw wrong("key must have 32 bytes");
	return given.slice();
}

async function unwrapped(key, wrapped) {
	if (typeof CryptoKey === "undefined" || !(key instanceof CryptoKey)) throw wrong("cryptoKey must be a CryptoKey");
	if (key.extractable) throw wrong("cryptoKey must not be extractable: any script of the origin could copy it");
	const { subtle } = globalThis.crypto;
	try {
		switch (key.algorithm.name) {
			case "HKDF":
				return new Uint8Array(await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info }, key, 256));
			case "AES-GCM": {
				if (!(wrapped instanceof Uint8Array)) throw wrong("an AES-GCM key opens what newWrappedKey returned: give it as wrapped");
				const how = { name: "AES-GCM", iv: wrapped.subarray(0, nonceSize), additionalData: info };
				return new Uint8Array(await subtle.decrypt(how, key, wrapped.subarray(nonceSize)));
			}
		}
	} catch (e) {
		if (e instanceof PawlError) throw e;
		throw wrong("the cryptoKey does not give a key: it is another one than the store was made with, or was made for other uses", e);
	}
	throw wrong("cryptoKey must be for HKDF, with deriveBits, or for AES-GCM, with decrypt");
}

/** Makes a key for a new store and wraps it with an AES-GCM key, which needs encrypt. */
export async function newWrappedKey(cryptoKey) {
	const { subtle } = globalThis.crypto;
	const key = crypto.getRandomValues(new Uint8Array(32)), iv = crypto.getRandomValues(new Uint8Array(nonceSize));
	const sealed = new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv, additionalData: info }, cryptoKey, key));
	key.fill(0);
	const wrapped = new Uint8Array(nonceSize + sealed.length);
	wrapped.set(iv);
	wrapped.set(sealed, nonceSize);
	return wrapped;
}
