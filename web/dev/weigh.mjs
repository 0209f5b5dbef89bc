// What a program for WebAssembly is made of: node weigh.mjs PROGRAM, one that was linked
// with its names (without -s). For each package it prints the bytes of its functions, and
// what brotli -q 11 makes of those alone, which is a little more than they add to the whole.
// With LEAST, in KB, it names those only that have as much; with LEAST raw it does not pack them.

import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const program = readFileSync(process.argv[2]), least = Number(process.argv[3] ?? 10), unpacked = process.argv[4] === "raw";

/** Reads numbers and names as WebAssembly writes them. */
function reader(bytes, at = 0) {
	return {
		get at() { return at; },
		get more() { return at < bytes.length; },
		number() {
			let n = 0;
			for (let factor = 1; ; factor *= 128) {
				const b = bytes[at++];
				n += (b & 127) * factor;
				if (b < 128) return n;
			}
		},
		take(n) { return bytes.subarray(at, (at += n)); },
		text() { return this.take(this.number()).toString("utf8"); },
	};
}

/** The sections: [kind, bytes], of which kind 0 have names of their own. */
function* sections() {
	const r = reader(program, 8);
	while (r.more) {
		const kind = r.number();
		yield [kind, r.take(r.number())];
	}
}

function importedFunctions(bytes) {
	const r = reader(bytes);
	let functions = 0;
	for (let n = r.number(); n > 0; n--) {
		r.text();
		r.text();
		if (r.number() !== 0) throw new Error("the program imports what is no function");
		r.number();
		functions++;
	}
	return functions;
}

function bodies(bytes) {
	const r = reader(bytes), all = [];
	for (let n = r.number(); n > 0; n--) all.push(r.take(r.number()));
	return all;
}

function functionNames(bytes) {
	const r = reader(bytes), names = new Map();
	if (r.text() !== "name") return names;
	while (r.more) {
		const kind = r.number(), part = reader(r.take(r.number()));
		if (kind !== 1) continue;
		for (let n = part.number(); n > 0; n--) {
			const index = part.number();
			names.set(index, part.text());
		}
	}
	return names;
}

/** The package of a function, of generic ones that which declares them. The linker writes _ for /. */
function packageOf(name) {
	const [host] = /^\w+\.(com|org|io)_/.exec(name) ?? [""];
	if (/^(type|go)[_:]/.test(name)) return "(made by the compiler)";
	const dot = name.indexOf(".", host.length);
	return dot < 0 ? "runtime" : name.slice(0, dot);
}

let imported = 0, code = [], names = new Map(), data = Buffer.alloc(0);
for (const [kind, bytes] of sections()) {
	if (kind === 2) imported = importedFunctions(bytes);
	if (kind === 10) code = bodies(bytes);
	if (kind === 11) data = bytes;
	if (kind === 0 && names.size === 0) names = functionNames(bytes);
}
if (names.size === 0) throw new Error("the program has no names: link it without -s");

const packages = new Map();
for (const [i, body] of code.entries()) {
	const of = packageOf(names.get(imported + i) ?? "");
	packages.set(of, [...(packages.get(of) ?? []), body]);
}

const packed = (bytes) => unpacked ? 0 : brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } }).length;
const row = (what, bytes) => [what, bytes.length, packed(bytes)];
const rows = [...packages].map(([name, parts]) => row(name, Buffer.concat(parts))).sort((a, b) => b[1] - a[1]);
const kb = (n) => (n / 1e3).toFixed(1).padStart(10);
const print = ([what, raw, small]) => console.log(what.padEnd(60) + kb(raw) + kb(small));

console.log("\n" + "package".padEnd(60) + "  code, KB    brotli");
let rest = ["(smaller ones)", 0, 0];
for (const r of rows)
	if (r[1] >= least * 1e3) print(r);
	else rest = [rest[0], rest[1] + r[1], rest[2] + r[2]];
print(rest);
print(row("(constants, types, tables of functions)", data));
