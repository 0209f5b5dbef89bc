// A program that runs: how it is started, asked and answered, and what becomes of calls when
// it ends.

import { PawlError, lost, over } from "./errors.js";
import { result } from "./form.js";
import { built, makeGo } from "./go.js";

const plain = { bytes: [], names: [] };

/** The module of a program, from wherever it comes: an address, a response, bytes, or a module. */
export async function compile(source) {
	try {
		const given = await (typeof source === "function" ? source() : source);
		const module = await moduleOf(given);
		check(module);
		return module;
	} catch (e) {
		if (e instanceof PawlError) throw e;
		throw new PawlError("program", "the program cannot be loaded: " + e.message, { cause: e });
	}
}

async function moduleOf(given) {
	if (given instanceof WebAssembly.Module) return given;
	if (ArrayBuffer.isView(given) || given instanceof ArrayBuffer) return WebAssembly.compile(given);
	const response = given instanceof Response ? given : await fetch(given);
	if (!response.ok) throw new Error(`${response.url} is answered with ${response.status}`);
	if (response.headers.get("content-type")?.split(";")[0] === "application/wasm") return WebAssembly.compileStreaming(response);
	return WebAssembly.compile(await response.arrayBuffer());
}

/** The program says by what it was built, before it runs: Go's start-up script must be of the same Go. */
function check(module) {
	const [section] = WebAssembly.Module.customSections(module, "pawl");
	if (section === undefined) throw new PawlError("program", "the program is not one of this package");
	const of = JSON.parse(new TextDecoder().decode(section));
	for (const what of ["go", "revision"])
		if (of[what] !== built[what])
			throw new PawlError("program", `the program is of ${what} ${of[what]}, this module of ${built[what]}: take both from one package`);
}

/** What the program sees as its global object: ours, with Go's own objects, which nobody else gets to see. */
function globalsFor(host) {
	const own = { fs: undefined, process: undefined, path: undefined, Go: undefined, pawlHost: host };
	return new Proxy(globalThis, {
		get(real, name) {
			if (Object.hasOwn(own, name)) return own[name];
			const value = Reflect.get(real, name);
			return typeof value === "function" && value.prototype === undefined ? value.bind(real) : value;
		},
		set: (_, name, value) => ((own[name] = value), true),
		deleteProperty: (_, name) => delete own[name],
	});
}

export class Instance {
	#go;
	#exports;
	#calls = new Map();
	#last = 0;
	#over = false;
	#memory;
	#ended;
	#why = "it has stopped";

	/** Starts a program. ended is called once, when it is over. */
	static async start(module, { log, ended }) {
		if (typeof globalThis.crypto?.getRandomValues !== "function")
			throw new PawlError("randomness", "there is no crypto.getRandomValues here: nothing that is secret can be made");
		const made = new Instance();
		made.#ended = ended;
		await made.#run(module, globalsFor({
			ready: (exports) => { made.#exports = exports; },
			done: (number, text) => made.#settle(number, (call) => call.resolve(result(text, call.as))),
			failed: (number, text) => made.#settle(number, (call) => call.reject(failure(text, call))),
			log: (line) => told(log, line),
		}));
		return made;
	}

	async #run(module, globals) {
		const Go = makeGo(globals);
		const go = (this.#go = new Go());
		globals.fs.writeSync = (_, line) => this.#said(line);
		go.argv = ["pawl"];
		go.exit = () => this.#end(this.#why);
		const resume = go._resume.bind(go);
		go._resume = () => {
			if (this.#over) return;
			try {
				resume();
			} catch (e) {
				this.#end(e instanceof WebAssembly.RuntimeError ? e.message : "its start-up script has failed");
			}
		};
		const wrapper = go._makeFuncWrapper.bind(go), within = this;
		go._makeFuncWrapper = (id) => {
			const call = wrapper(id);
			return function (...args) {
				const made = call.apply(this, args);
				if (within.#over) giveUp(args[0]);
				return made;
			};
		};
		const instance = await WebAssembly.instantiate(module, go.importObject); // a page may not do it at once
		this.#memory = instance.exports.mem;
		go.run(instance).catch((e) => this.#end(String(e.message)));
		if (this.#exports === undefined) throw new PawlError("program", "the program has not started: " + this.#why);
	}

	/** Go says why it fails. What follows a panic may hold anything, and is not kept. */
	#said(line) {
		const text = new TextDecoder().decode(line);
		const why = /^(?:runtime: |fatal error: )?(out of memory[^\n]*|fatal error: [^\n]*)/m.exec(text);
		if (why !== null) this.#why = why[1];
		return line.length;
	}

	/** How many bytes of memory the program has. */
	get memory() {
		return this.#memory.buffer.byteLength;
	}

	get over() {
		return this.#over;
	}

	/** Asks for something, and waits for the answer, which the signal or the deadline hastens. */
	ask(what, args, { signal, deadline } = {}, as = plain) {
		return new Promise((resolve, reject) => {
			if (this.#over) return reject(over());
			if (signal?.aborted) return reject(new PawlError("canceled", "the call was canceled before it began", { cause: signal.reason }));
			const number = ++this.#last;
			const cancel = () => this.#over || this.#exports.cancel(number);
			signal?.addEventListener("abort", cancel, { once: true });
			this.#calls.set(number, { resolve, reject, as, signal, done: () => signal?.removeEventListener("abort", cancel) });
			this.#exports[what](number, deadline ?? -1, ...args);
		});
	}

	#settle(number, how) {
		const call = this.#calls.get(number);
		if (call === undefined) return;
		this.#calls.delete(number);
		call.done();
		how(call);
	}

	/** Ends the program, which drops all that it has in memory. */
	end() {
		if (!this.#over) this.#exports.end();
	}

	#end(why) {
		if (this.#over) return;
		this.#over = true;
		for (const timer of this.#go._scheduledTimeouts.values()) clearTimeout(timer);
		this.#go._scheduledTimeouts.clear();
		for (const number of [...this.#calls.keys()]) this.#settle(number, (call) => call.reject(lost(why)));
		this.#ended();
	}
}

/**
 * Aborts the transaction whose event a program did not take to its end: the browser would
 * commit what had been written by then, which may be half of a batch.
 */
function giveUp(event) {
	const { target } = typeof Event !== "undefined" && event instanceof Event ? event : {};
	try {
		if (target instanceof IDBRequest) target.transaction?.abort();
	} catch {
		// it was told to commit all before, or is over
	}
}

/** What takes lines of the log may throw, which is not to end the program. */
function told(log, line) {
	try {
		log?.(line);
	} catch (e) {
		console.error(e);
	}
}

function failure(text, call) {
	const { code, message, ...more } = result(text, { bytes: call.as.bytes.map((place) => "result." + place), names: call.as.names.map((place) => "result." + place) });
	if (code === "canceled" && call.signal?.aborted) more.cause = call.signal.reason;
	return new PawlError(code, message, more);
}
