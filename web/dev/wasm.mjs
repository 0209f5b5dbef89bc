// What a program for WebAssembly has in memory when it starts: its data section, read and
// written anew. Of WebAssembly it knows what Go's linker writes, and refuses the rest.

const ids = { imports: 2, memory: 5, data: 11, dataCount: 12 };
const pageSize = 65536, mostPieces = 100000; // which is what V8, SpiderMonkey and JavaScriptCore take
const constant = 0x41, end = 0x0b; // i32.const, and the end of an expression

/** Fails: a program that is not understood is not touched. */
export function refuse(why) {
	throw new Error(`strip: ${why}: the program is not what Go 1.26 links for WebAssembly; ship it as it is`);
}

/** Reads an unsigned LEB128 number, and returns it and where it ends. */
export function number(bytes, at) {
	let n = 0, unit = 1;
	for (;;) {
		if (at >= bytes.length || unit > 2 ** 35) refuse("a number has no end");
		const byte = bytes[at++];
		n += (byte & 127) * unit;
		if (byte < 128) return [n, at];
		unit *= 128;
	}
}

/** Writes a number below 2 ** 31 as number reads it. */
export function written(n) {
	const all = [];
	for (; n >= 128; n >>= 7) all.push((n & 127) | 128);
	return [...all, n];
}

/** The sections, by their ids: those that mean nothing to WebAssembly have none. */
function sectionsOf(program) {
	if (program.length < 8 || program.readUInt32BE(0) !== 0x0061736d || program.readUInt32LE(4) !== 1) refuse("no WebAssembly");
	const sections = new Map();
	for (let at = 8; at < program.length;) {
		const id = program[at], [size, begin] = number(program, at + 1);
		if (begin + size > program.length) refuse("a section is cut off");
		if (id !== 0 && sections.has(id)) refuse("a section comes twice");
		sections.set(id, { from: at, begin, body: program.subarray(begin, begin + size) });
		at = begin + size;
	}
	if (sections.has(ids.dataCount)) refuse("code asks for pieces of data");
	return sections;
}

/** How many bytes of memory there are at first, all of them 0: the program's own memory, of 32 bits. */
function memorySizeOf(sections) {
	const { body } = sections.get(ids.memory) ?? refuse("no memory"), [count, at] = number(body, 0);
	if (count !== 1 || body[at] > 1) refuse("a memory of another kind");
	importsFunctionsOnly(sections.get(ids.imports)?.body ?? Buffer.from([0]));
	return number(body, at + 1)[0] * pageSize;
}

/** A memory that is imported would be the first, and may have something in it. */
function importsFunctionsOnly(body) {
	let [count, at] = number(body, 0), size;
	for (; count > 0; count--) {
		for (let i = 0; i < 2; i++) { // the names of a module, and of what it has
			[size, at] = number(body, at);
			at += size;
		}
		if (body[at] !== 0) refuse("something else than a function is imported");
		at = number(body, at + 1)[1];
	}
}

/** The pieces of data, in order of where each lies in memory, and their bytes. */
function piecesOf(section, memorySize) {
	const pieces = [];
	let [count, at] = number(section, 0), kind, to, size;
	for (; count > 0; count--) {
		[kind, at] = number(section, at);
		if (kind !== 0 || section[at] !== constant) refuse("a piece of data has no constant address");
		[to, at] = number(section, at + 1);
		if ((section[at - 1] & 0x40) !== 0 || section[at] !== end) refuse("a piece of data has no constant address"); // the number is signed
		[size, at] = number(section, at + 1);
		if (at + size > section.length) refuse("a piece of data is cut off");
		if (to + size > memorySize) refuse("a piece of data is out of memory");
		pieces.push({ to, bytes: section.subarray(at, at + size) });
		at += size;
	}
	if (at !== section.length) refuse("something follows the data");
	pieces.sort((a, b) => a.to - b.to);
	if (pieces.some((p, i) => i > 0 && p.to < pieces[i - 1].to + pieces[i - 1].bytes.length)) refuse("pieces of data overlap");
	return pieces;
}

/** Memory as it is when a program starts, up to the end of its data. */
export function memoryOf(program) {
	const sections = sectionsOf(program), data = sections.get(ids.data) ?? refuse("no data");
	const pieces = piecesOf(data.body, memorySizeOf(sections)), last = pieces.at(-1) ?? refuse("no data");
	const memory = Buffer.alloc(last.to + last.bytes.length);
	for (const { to, bytes } of pieces) bytes.copy(memory, to);
	return memory;
}

/** What a piece of data is written as. Its address is signed: a number whose last bits end in 1 needs a byte more. */
function pieceOf(memory, from, to) {
	const address = written(from);
	if ((address.at(-1) & 0x40) !== 0) address.push(address.pop() | 128, 0);
	return [Buffer.from([0, constant, ...address, end, ...written(to - from)]), memory.subarray(from, to)];
}

/** Returns a program that starts with this memory. More than gap bytes of 0 between two others are left out. */
export function withMemory(program, memory, gap) {
	const body = [];
	let pieces = 0, from = -1, to = 0;
	const add = () => from >= 0 && (pieces++, body.push(...pieceOf(memory, from, to)));
	for (let at = 0; at < memory.length; at++) {
		if (memory[at] === 0) continue;
		if (from < 0 || at - to > gap) add(), from = at;
		to = at + 1;
	}
	add();
	if (pieces > mostPieces) refuse("more pieces of data than browsers take");
	const data = Buffer.concat([Buffer.from(written(pieces)), ...body]), was = sectionsOf(program).get(ids.data);
	return Buffer.concat([program.subarray(0, was.from), Buffer.from([ids.data, ...written(data.length)]), data, program.subarray(was.begin + was.body.length)]);
}
