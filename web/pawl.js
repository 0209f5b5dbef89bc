// Pawl in JavaScript: stores and machines, whose calls are those of the table in calls.js.

import { machineCalls, machineStreams, storeCalls } from "./calls.js";
import { PawlError } from "./errors.js";
import { bytes, params } from "./form.js";
import { Instance, compile } from "./instance.js";
import { unlocking } from "./secret.js";

export { PawlError } from "./errors.js";
export { newWrappedKey } from "./secret.js";

const settings = { wasm: () => new URL("pawl.wasm", import.meta.url), log: undefined };

/** Says where the program is, and who gets the lines of its log, before the first store is opened. */
export function configure({ wasm, log }) {
	if (wasm !== undefined) settings.wasm = wasm;
	if (log !== undefined) settings.log = log;
	program = undefined;
}

let program; // a promise of the module, which is compiled once
let running; // the program that new stores are opened in, and how many it has or is about to

/** A program that is started when there is none. */
function begin() {
	const made = { stores: 0, instance: undefined };
	made.instance = (async () => {
		program ??= compile(settings.wasm).catch((e) => {
			program = undefined; // it may be there the next time
			throw e;
		});
		return Instance.start(await program, { log: settings.log, ended: () => forget(made) });
	})();
	return made;
}

function forget(ended) {
	if (running === ended) running = undefined;
}

/** One store less: without any the program ends, and with it all keys in its memory. */
function release(of) {
	if (--of.stores > 0) return;
	forget(of);
	of.instance.then((instance) => instance.end(), () => {}); // that it did not start is known
}

/** Opens a store, and makes it if there is none. */
export async function open(how, options = {}) {
	const { name = "", engine = "indexeddb", witness, withoutSync = false, key, passphrase, cryptoKey, wrapped, ...rest } = how;
	const { secret, bytes: unlocks } = await unlocking({ key, passphrase, cryptoKey, wrapped });
	const of = (running ??= begin());
	of.stores++;
	try {
		const within = await of.instance;
		const asked = params({ ...rest, path: name, engine: withoutSync ? engine + "_unsynced" : engine, secret });
		const opened = await within.ask("open", [asked, unlocks, witness && asking(witness)], options);
		return new Store(within, opened.store, () => release(of));
	} catch (e) {
		release(of);
		throw e;
	} finally {
		unlocks.fill(0);
	}
}

/** A witness whose functions may fail in any way. */
const asking = (witness) => ({ load: async () => witness.load(), save: async (mark, old) => witness.save(mark, old) });

/** What is open has a number in the program. */
class Handle {
	#within;
	#handle;
	#closed;

	constructor(within, handle) {
		this.#within = within;
		this.#handle = handle;
	}

	_ask(what, args, options, as) {
		return this.#within.ask(what, [this.#handle, ...args], options, as);
	}

	_stream(call, given, options) {
		return new Stream(this.#within, () => this._ask("stream", [call.name, params(given)], options), call, options);
	}

	_open(of, handle) {
		return new of(this.#within, handle);
	}

	get _within() {
		return this.#within;
	}

	/** Closes it. What is under way ends as it would, or is canceled. */
	close() {
		this.#closed ??= this.#within.over ? Promise.resolve() : this._ask("close", []).then(() => {}, ifOver);
		return this.#closed;
	}
}

function ifOver(e) {
	if (e.code !== "ended" && e.code !== "unknown") throw e;
}

export class Store extends Handle {
	#release;

	constructor(within, handle, release) {
		super(within, handle);
		this.#release = release;
	}

	async close() {
		try {
			await super.close();
		} finally {
			this.#release?.();
			this.#release = undefined;
		}
	}

	/** Where navigator.storage.persist() stands: whether the browser has promised not to drop the data. */
	async persisted() {
		return (await globalThis.navigator?.storage?.persisted?.()) ?? false;
	}

	/** How many bytes the program has, for all stores that are open. */
	get memory() {
		return this._within.memory;
	}
}

export class Machine extends Handle {}

for (const [of, calls] of [[Store, storeCalls], [Machine, machineCalls]])
	for (const [method, call] of Object.entries(calls))
		of.prototype[method] = async function (...args) {
			const given = call.params ? args.shift() : undefined;
			const beside = call.body ? bytes(args.shift() ?? "", "what goes beside the parameters") : undefined;
			const made = await this._ask("call", [call.name, params(given), beside], args[0], call);
			if (call.machine) return this._open(Machine, made.machine);
			return Object.keys(made).length > 0 ? made : undefined;
		};

for (const [method, call] of Object.entries(machineStreams))
	Machine.prototype[method] = function (given, options) {
		return this._stream(call, given, options);
	};

/** Results that come one after the other. */
class Stream {
	#within;
	#begun;
	#begin;
	#call;
	#options;
	#over = false;

	constructor(within, begin, call, options) {
		this.#within = within;
		this.#begin = begin;
		this.#call = call;
		this.#options = options;
	}

	[Symbol.asyncIterator]() {
		return this;
	}

	async next() {
		if (this.#over) return { done: true, value: undefined };
		try {
			this.#begun ??= this.#begin();
			const { stream } = await this.#begun;
			return { done: false, value: await this.#within.ask("next", [stream], this.#options, this.#call) };
		} catch (e) {
			await this.return();
			if (e instanceof PawlError && e.code === "end") return { done: true, value: undefined };
			throw e;
		}
	}

	async return(value) {
		if (!this.#over) {
			this.#over = true;
			const begun = await this.#begun?.catch(() => undefined);
			if (begun !== undefined) await this.#within.ask("close", [begun.stream]).catch(() => {}); // it may be over
		}
		return { done: true, value };
	}
}
