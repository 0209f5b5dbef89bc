// Takes out of a program what Go's linker adds for traces alone: node strip.mjs IN OUT. What
// a panic prints then has names of functions, and neither files nor lines. Data is written in
// fewer and longer pieces than Go's linker makes, which browsers take in sooner.
//
// Of each function the runtime (Go 1.26, src/runtime) has a record _func and tables of values
// by program counter. Only traces ask for pcfile, pcln, cuOffset, startLine, and what
// FUNCDATA_ArgInfo, FUNCDATA_ArgLiveInfo and PCDATA_ArgLiveIndex say of arguments
// (traceback.go, symtab.go); only signals and debuggers, which WebAssembly does not have, for
// PCDATA_UnsafePoint (preempt.go, debugcall.go). The rest stays: recover walks frames by
// their inline trees, stacks grow and are scanned by pcsp, pointer maps and stack objects, and
// PCDATA_PanicBounds may be asked what an index was.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { memoryOf, number, refuse, withMemory } from "./wasm.mjs";

const magic = 0xfffffff1, recordSize = 44, absent = 0xffffffff;
const unsafePoint = 0, inlineIndex = 2, argLiveIndex = 3; // of pcdata
const inlineTree = 3, argInfo = 5, argLiveInfo = 6; // of funcdata
const inlinedSize = 16; // funcID, three bytes, nameOff, parentPc, startLine
const endOfArgs = 0xff;
// Zeros that are written, and do not end a piece of data. With 16 there are more pieces than
// browsers take; from 32 to 256 what is packed differs by 1 %, and the program grows.
const gap = 48;

/** Where the table of functions lies, and its parts: pcHeader of symtab.go. */
function tableOf(memory) {
	const head = Buffer.from([0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8]), word = (at) => Number(memory.readBigUInt64LE(at));
	for (let at = memory.indexOf(head); at >= 0; at = memory.indexOf(head, at + 1)) {
		if (at + 72 > memory.length || memory.readUInt32LE(at) !== magic) continue;
		const [count, , , names, units, files, values, records] = Array.from({ length: 8 }, (_, i) => word(at + 8 + 8 * i));
		if (names !== 72 || !(names < units && units < files && files < values && values < records && at + records + 8 * count < memory.length)) continue;
		return { count, units: at + units, values: at + values, records: at + records, functions: functionsFor(memory, at, at + names) };
	}
	return refuse("no table of functions");
}

/** Where what functions have of their own lies: gofunc of moduledata, which begins with where
 * the table of functions and its parts are. */
function functionsFor(memory, table, names) {
	const begin = Buffer.alloc(16), word = (at) => Number(memory.readBigUInt64LE(at));
	begin.writeBigUInt64LE(BigInt(table));
	begin.writeBigUInt64LE(BigInt(names), 8);
	const at = memory.indexOf(begin);
	if (at < 0 || at + 8 * 42 > memory.length) refuse("no moduledata");
	const parts = [4, 7, 10, 13].map((i) => word(at + 8 * i) - table), said = [4, 5, 6, 7].map((i) => word(table + 8 + 8 * i));
	const functions = word(at + 8 * 40), end = word(at + 8 * 41);
	if (parts.some((part, i) => part !== said[i]) || functions <= 0 || functions >= end || end > memory.length) refuse("moduledata says something else than the table of functions");
	return functions;
}

/** Where a table of values ends: pairs of differences, of value and of program counter, the
 * first of which alone may be of no value. It also returns the largest value. */
function endOf(memory, begin) {
	let at = begin, value = -1, largest = -1;
	for (;;) {
		const [difference, after] = number(memory, at);
		if (difference === 0 && at !== begin) return { end: after, largest };
		value += difference % 2 === 1 ? -(difference + 1) / 2 : difference / 2;
		largest = Math.max(largest, value);
		at = number(memory, after)[1];
	}
}

/** The records of all functions. */
function recordsOf(memory, table) {
	return Array.from({ length: table.count }, (_, i) => {
		const at = table.records + memory.readUInt32LE(table.records + 8 * i + 4);
		if (at + recordSize > memory.length) refuse("a function's record is cut off");
		const values = memory.readUInt32LE(at + 28), own = memory[at + 43];
		if (values > 16 || own > 16 || at + recordSize + 4 * (values + own) > memory.length) refuse("a function's record is not one");
		const field = (place) => ({ place, is: memory.readUInt32LE(place) }), word = (i) => field(at + recordSize + 4 * i);
		return { at, pcsp: memory.readUInt32LE(at + 16), lines: [field(at + 20), field(at + 24)],
			values: Array.from({ length: values }, (_, i) => word(i)), own: Array.from({ length: own }, (_, i) => word(values + i)) };
	});
}

/** Zeroes what was dropped, but for the bytes that something else has too. */
function zero(memory, dropped, kept) {
	const stays = new Uint8Array(memory.length);
	for (const [begin, end] of kept) stays.fill(1, begin, end);
	for (const [begin, end] of dropped) {
		if (end > memory.length) refuse("something is longer than memory");
		for (let at = begin; at < end; at++) if (stays[at] === 0) memory[at] = 0;
	}
}

/** Drops tables of values: a function without one has 0 in its place. */
function dropValues(memory, table, records) {
	const kept = new Set(), dropped = new Set();
	for (const r of records) {
		kept.add(r.pcsp);
		for (const w of r.lines) dropped.add(w);
		r.values.forEach((w, i) => (i === unsafePoint || i === argLiveIndex ? dropped.add(w) : kept.add(w.is)));
	}
	const range = (is) => [table.values + is, endOf(memory, table.values + is).end];
	const ranges = (all) => [...new Set(all)].filter((is) => is !== 0).map(range);
	const gone = ranges([...dropped].map((w) => w.is)), stays = ranges(kept);
	if ([...gone, ...stays].some(([, end]) => end > table.records)) refuse("a table of values is cut off");
	zero(memory, gone, stays);
	for (const w of dropped) memory.writeUInt32LE(0, w.place);
	for (const r of records) memory.writeUInt32LE(0, r.at + 32), memory.writeUInt32LE(0, r.at + 36); // cuOffset, startLine
	memory.fill(0, table.units, table.values); // and the names of files
}

/** Drops what is said of arguments, and where in its file each inlined function begins. */
function dropOwn(memory, table, records) {
	const args = new Set(), kept = new Set(), trees = new Map(), all = new Set();
	for (const r of records) {
		r.own.forEach((w, i) => {
			if (w.is === absent) return;
			all.add(w.is);
			if (i === inlineTree) trees.set(w.is, Math.max(trees.get(w.is) ?? 0, 1 + endOf(memory, table.values + r.values[inlineIndex].is).largest));
			else if (i === argInfo) args.add(w.is);
			else if (i !== argLiveInfo) kept.add(w.is);
			if (i === argInfo || i === argLiveInfo) memory.writeUInt32LE(absent, w.place);
		});
	}
	const begins = [...all].sort((a, b) => a - b), next = new Map(begins.map((is, i) => [is, begins[i + 1] ?? is]));
	for (const is of args) {
		const end = memory.indexOf(endOfArgs, table.functions + is) + 1;
		if (is === begins.at(-1)) continue; // nothing says where it ends
		if (end === 0 || end - table.functions > next.get(is)) refuse("what is said of a function's arguments has no end");
		if (!kept.has(is) && !trees.has(is)) memory.fill(0, table.functions + is, end);
	}
	for (const [is, entries] of trees) {
		if (kept.has(is) || is + entries * inlinedSize > next.get(is)) continue;
		for (let i = 0; i < entries; i++) memory.writeUInt32LE(0, table.functions + is + i * inlinedSize + 12);
	}
}

/** Returns a program without what only traces need. */
export function strip(program) {
	try {
		const memory = memoryOf(program);
		dropFrom(memory);
		return withMemory(program, memory, gap);
	} catch (err) { // an offset that leads out of memory, or to a table that is missing
		if (err instanceof RangeError || err instanceof TypeError) refuse("an offset leads nowhere");
		throw err;
	}
}

/** Drops from memory what only traces need. */
export function dropFrom(memory) {
	const table = tableOf(memory), records = recordsOf(memory, table);
	dropOwn(memory, table, records); // asks tables of values
	dropValues(memory, table, records);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) writeFileSync(process.argv[3], strip(readFileSync(process.argv[2])));
