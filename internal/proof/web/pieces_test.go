package web

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inTools runs a script in Node, which is given the path of web/dev and, as JSON, an input, and
// returns what it prints, as JSON too.
func inTools[T any](t *testing.T, script string, input any) (said T) {
	t.Helper()
	needDevTools(t)
	tools, err := filepath.Abs(devTools)
	if err != nil {
		t.Fatal(err)
	}
	given, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "--input-type=module", "-e", script, tools)
	cmd.Stdin = bytes.NewReader(given)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return said
}

// startsWith has WebAssembly itself say what is in a program's memory before it runs.
const startsWith = `import { readFileSync } from "node:fs";
const { memoryOf, withMemory } = await import(process.argv[1] + "/wasm.mjs"), { dropFrom, strip } = await import(process.argv[1] + "/strip.mjs");
const given = JSON.parse(readFileSync(0));
function startsWith(program) {
	const module = new WebAssembly.Module(program), imports = {};
	for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => {};
	return Buffer.from(Object.values(new WebAssembly.Instance(module, imports).exports).find((e) => e instanceof WebAssembly.Memory).buffer);
}
`

// TestStripStartsTheSame: whatever the gap, a program starts with the memory that it would
// start with; and stripped with that, but for what strip drops.
func TestStripStartsTheSame(t *testing.T) {
	program := Build(t, ".", "./traced", false)
	for _, said := range inTools[[]string](t, startsWith+`
const program = readFileSync(given), memory = memoryOf(program), said = [], want = startsWith(program);
for (const gap of [9, 48, 1000, 1e9])
	if (!startsWith(withMemory(program, memory, gap)).equals(want)) said.push("with gaps of " + gap + " the memory is another");
const less = Buffer.from(want), rest = Buffer.from(want);
dropFrom(less);
if (!startsWith(strip(program)).equals(less)) said.push("stripped the memory is another than without what was dropped");
if (less.equals(rest)) said.push("nothing was dropped");
console.log(JSON.stringify(said));`, program) {
		t.Error(said)
	}
}

// section is one of a program: its id, and what it holds.
func section(id byte, body ...byte) []byte { return slices.Concat([]byte{id}, number(len(body)), body) }

// number is one as WebAssembly writes lengths.
func number(n int) (all []byte) {
	for ; n >= 128; n >>= 7 {
		all = append(all, byte(n)|128)
	}
	return append(all, byte(n))
}

var wasmHead = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// onePage is a memory of 65,536 bytes, and its export.
var onePage = slices.Concat(section(5, 1, 0, 1), section(7, 1, 1, 'm', 2, 0))

// TestPieces: of the ways in which WebAssembly fills a memory that one is read which Go's linker
// writes, and every other is refused.
func TestPieces(t *testing.T) {
	data := func(pieces ...string) []byte {
		return section(11, []byte(string(number(len(pieces)))+strings.Join(pieces, ""))...)
	}
	const (
		three = "\x00\x41\x03\x0b\x02ab" // at 3
		five  = "\x00\x41\x05\x0b\x02cd"
		four  = "\x00\x41\x04\x0b\x02ef"
	)
	var cases []program
	add := func(name, want string, parts ...[]byte) {
		cases = append(cases, program{name, append(slices.Clone(wasmHead), slices.Concat(parts...)...), want})
	}
	add("one piece", "\x00\x00\x00ab", onePage, data(three))
	add("two", "\x00\x00\x00abcd", onePage, data(three, five))
	add("two in another order", "\x00\x00\x00abcd", onePage, data(five, three))
	add("the last byte of memory", strings.Repeat("\x00", 65535)+"z", onePage, data("\x00\x41\xff\xff\x03\x0b\x01z"))
	add("a memory with a limit", "\x00\x00\x00ab", section(5, 1, 1, 1, 2), data(three))
	add("a function is imported", "\x00\x00\x00ab", section(1, 1, 0x60, 0, 0), section(2, 1, 1, 'a', 1, 'b', 0, 0), onePage, data(three))
	add("two that overlap", "strip: pieces of data overlap", onePage, data(three, four))
	add("two that overlap, in another order", "strip: pieces of data overlap", onePage, data(four, three))
	add("behind the end of memory", "strip: a piece of data is out of memory", onePage, data("\x00\x41\xff\xff\x03\x0b\x02yz"))
	add("before the begin of memory", "strip: a piece of data has no constant address", onePage, data("\x00\x41\x7f\x0b\x01a"))
	add("a passive piece", "strip: a piece of data has no constant address", onePage, data("\x01\x02ab"))
	add("a passive piece that looks like another", "strip: a piece of data has no constant address", onePage, data("\x01\x41\x03\x0b\x3e"+strings.Repeat("a", 62)))
	add("a piece of a numbered memory", "strip: a piece of data has no constant address", onePage, data("\x02\x00\x41\x03\x0b\x02ab"))
	add("at an address of a global", "strip: a piece of data has no constant address", onePage, data("\x00\x23\x00\x0b\x02ab"))
	add("at a sum", "strip: a piece of data has no constant address", onePage, data("\x00\x41\x03\x41\x01\x6a\x0b\x02ab"))
	add("at an address of 64 bits", "strip: a piece of data has no constant address", onePage, data("\x00\x42\x03\x0b\x02ab"))
	add("a piece that is cut off", "strip: a piece of data is cut off", onePage, data("\x00\x41\x03\x0b\x03ab"))
	add("fewer pieces than are announced", "strip: a number has no end", onePage, section(11, []byte("\x02"+three)...))
	add("more than are announced", "strip: something follows the data", onePage, section(11, []byte("\x01"+three+five)...))
	add("pieces that code may ask for", "strip: code asks for pieces of data", onePage, section(12, 1), data(three))
	add("data twice", "strip: a section comes twice", onePage, data(three), data(five))
	add("no data", "strip: no data", onePage)
	add("no piece", "strip: no data", onePage, data())
	add("no memory", "strip: no memory", data(three))
	add("two memories", "strip: a memory of another kind", section(5, 2, 0, 1, 0, 1), data(three))
	add("a memory that is shared", "strip: a memory of another kind", section(5, 1, 3, 1, 1), data(three))
	add("a memory of 64 bits", "strip: a memory of another kind", section(5, 1, 4, 1), data(three))
	add("a memory is imported too", "strip: something else than a function is imported", section(2, 1, 1, 'a', 1, 'b', 2, 0, 1), onePage, data(three))
	add("a global is imported", "strip: something else than a function is imported", section(2, 1, 1, 'a', 1, 'b', 3, 0x7f, 0), onePage, data(three))
	add("an import without an end", "strip: a number has no end", section(2, 1, 9, 'a'), onePage, data(three))
	checkPieces(t, cases)
}

// program is one for WebAssembly, and what it begins with in memory, or why it is refused.
type program struct {
	Name  string
	Bytes []byte
	want  string
}

func checkPieces(t *testing.T, cases []program) {
	t.Helper()
	said := inTools[[]string](t, startsWith+`
console.log(JSON.stringify(given.map((one) => {
	try { return memoryOf(Buffer.from(one.Bytes, "base64")).toString("latin1"); } catch (err) { return err.message; }
})));`, cases)
	for i, c := range cases {
		want := c.want
		if strings.HasPrefix(want, "strip: ") {
			want += ": the program is not what Go 1.26 links for WebAssembly; ship it as it is"
		}
		if said[i] != want {
			t.Errorf("%s: %.150q, want %.150q", c.Name, said[i], want)
		}
	}
}

// TestPiecesAreWritten: zeros are left out where there are more of them than the gap, and a
// piece may lie at any address; more pieces than browsers take are refused.
func TestPiecesAreWritten(t *testing.T) {
	page := slices.Concat(wasmHead, section(5, 1, 0, 0x80, 0x10), section(7, 1, 1, 'm', 2, 0), section(11, 1, 0, 0x41, 3, 0x0b, 1, 'x')) // 2,048 pages
	for _, said := range inTools[[]string](t, startsWith+`
const program = Buffer.from(given, "base64"), said = [];
function piecesIn(made) { // fewer than 128, in the last section
	let at = made.lastIndexOf(Buffer.from([7, 5, 1, 1, 0x6d, 2, 0])) + 8;
	while (made[at++] >= 128);
	return made[at];
}
for (const [zeros, want] of [[0, 1], [47, 1], [48, 1], [49, 2], [1000, 2]]) {
	const memory = Buffer.from([0, 1, ...new Array(zeros).fill(0), 1, 0]), is = piecesIn(withMemory(program, memory, 48));
	if (is !== want) said.push(zeros + " zeros: " + is + " pieces, want " + want);
}
const places = [0, 63, 64, 127, 128, 8191, 8192, 16383, 16384, 2 ** 20 - 1, 2 ** 20, 2 ** 26, 2 ** 27 - 1], memory = Buffer.alloc(2 ** 27);
for (const at of places) memory[at] = 1 + at % 255;
if (!startsWith(withMemory(program, memory, 0)).equals(memory)) said.push("not every address is written as WebAssembly reads it");
const many = (n) => Buffer.alloc(2 * n, "\x00y");
if (!startsWith(withMemory(program, many(100000), 0)).subarray(0, 200000).equals(many(100000))) said.push("100,000 pieces are not those");
try { withMemory(program, many(100001), 0); said.push("100,001 pieces are taken"); } catch (err) { if (!/^strip: more pieces of data than browsers take: /.test(err.message)) said.push(err.message); }
console.log(JSON.stringify(said));`, page) {
		t.Error(said)
	}
}

// TestStripComparesModuledata: where Go's moduledata says something else of its tables than
// their head does, the program is refused.
func TestStripComparesModuledata(t *testing.T) {
	file := Build(t, ".", "./hello", false)
	for _, said := range inTools[[]string](t, startsWith+`
const program = readFileSync(given), memory = memoryOf(program), said = [];
const table = memory.indexOf(Buffer.from([0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8])), head = Buffer.alloc(16);
head.writeBigUInt64LE(BigInt(table));
head.writeBigUInt64LE(BigInt(table + 72), 8);
const at = memory.indexOf(head), end = memory.readBigUInt64LE(at + 8 * 41);
const other = "moduledata says something else than the table of functions";
for (const [word, is, want] of [ // the head, names, units, files, values, records, functions' own and its end
	[0, 8n, "no moduledata"], [1, 8n, "no moduledata"],
	[4, memory.readBigUInt64LE(at + 8 * 4) + 1n, other], [7, memory.readBigUInt64LE(at + 8 * 7) - 8n, other],
	[10, memory.readBigUInt64LE(at + 8 * 10) + 8n, other], [13, memory.readBigUInt64LE(at + 8 * 13) - 8n, other],
	[40, 0n, other], [40, end, other], [41, 2n ** 40n, other],
]) {
	const damaged = Buffer.from(memory);
	damaged.writeBigUInt64LE(is, at + 8 * word);
	try {
		strip(withMemory(program, damaged, 48));
		said.push("word " + word + " = " + is + ": taken");
	} catch (err) {
		if (!err.message.startsWith("strip: " + want + ": ")) said.push("word " + word + " = " + is + ": " + err.message);
	}
}
console.log(JSON.stringify(said));`, file) {
		t.Error(said)
	}
}
