// The form of parameters and results: JavaScript has camelCase, Uint8Array and objects where
// the program has JSON. What others wrote, and what is to be sent, stays a text.

const camels = new Map(); // a sync has thousands of events, each with the same names
const camel = (name) => {
	let made = camels.get(name);
	if (made === undefined) camels.set(name, made = name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase()));
	return made;
};
const snake = (name) => name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());

const encoder = new TextEncoder();

/** The bytes of what goes beside the parameters: a text is UTF-8. */
export function bytes(given, what) {
	if (typeof given === "string") return encoder.encode(given);
	if (given instanceof Uint8Array) return given;
	if (given instanceof ArrayBuffer) return new Uint8Array(given);
	throw new TypeError(`${what} must be an Uint8Array, an ArrayBuffer or a string`);
}

function toBase64(b) {
	let text = "";
	for (let i = 0; i < b.length; i += 0x8000) text += String.fromCharCode.apply(null, b.subarray(i, i + 0x8000));
	return btoa(text).replace(/=+$/, "");
}

function fromBase64(text) {
	const all = atob(text), b = new Uint8Array(all.length);
	for (let i = 0; i < b.length; i++) b[i] = all.charCodeAt(i);
	return b;
}

/** Parameters as the program takes them. */
export const params = (given) => JSON.stringify({ v: 1, ...written(given ?? {}) });

function written(value) {
	if (value instanceof Uint8Array) return toBase64(value);
	if (Array.isArray(value)) return value.map(written);
	if (typeof value !== "object" || value === null) return value;
	const to = {};
	for (const [name, part] of Object.entries(value)) to[snake(name)] = written(part);
	return to;
}

/** A result as JavaScript has it. as has the places of bytes, and of objects whose members are names. */
export function result(text, as) {
	const made = read(JSON.parse(text), "", as);
	delete made.v;
	return made;
}

function read(value, place, as) {
	if (typeof value === "string") return as.bytes.includes(place) ? fromBase64(value) : value;
	if (Array.isArray(value)) return value.map((item) => read(item, place + "[]", as));
	if (typeof value !== "object" || value === null || as.names.includes(place)) return value;
	const to = {};
	for (const [name, part] of Object.entries(value)) to[camel(name)] = read(part, place === "" ? name : place + "." + name, as);
	return to;
}
