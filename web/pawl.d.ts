// Pawl in JavaScript. docs/web.md says how it is used, calls.d.ts has every call.

import type { CallCode, MachineCalls, MachineStreams, StoreCalls } from "./calls.js";

export type * from "./calls.js";

/** What goes beside the parameters of a call; a string is sent as UTF-8. */
export type Bytes = Uint8Array | ArrayBuffer | string;

export interface CallOptions {
	/** Cancels the call, which ends with the code "canceled", or with what it had done. */
	signal?: AbortSignal;
	/** Milliseconds that the call may take, or that each item of a stream may; then the code is "deadline". */
	deadline?: number;
}

/** The codes of the module itself, beside those of calls. */
export type Code = CallCode | "ended" | "program" | "randomness" | "secret";

/** An error within a result. */
export interface CallFailure {
	code: CallCode;
	number: number;
	remedy: string;
	message: string;
	requests: string[];
	why: string;
	withheld: string;
	withheldReason: string;
	first: number | null;
}

/** What every call rejects with. */
export class PawlError extends Error {
	readonly code: Code;
	/** What a program may do about it: a word of docs/errors.md. */
	readonly remedy: string;
	/** Requests that have no answer yet, of "not_shared". */
	readonly requests?: string[];
	/** Why another key is to be shared, of "rotate". */
	readonly why?: string;
	readonly withheld?: string;
	readonly withheldReason?: string;
	/** The first index that the room key reads, of "too_early". */
	readonly first?: number | null;
	/** What the call had done before it failed. */
	readonly result?: unknown;
}

/** A witness of the program's own, on its server, say: what it keeps tells a copied store from the one that went on. */
export interface Witness {
	/** What was saved last, or null. */
	load(): Promise<string | null | undefined>;
	/** Saves a mark in the place of old; resolves to false, and saves nothing, where another one is there by now. */
	save(mark: string, old: string | null | undefined): Promise<boolean | void>;
}

export interface OpenOptions {
	/** The name of the database. */
	name?: string;
	/** "memory" is a store that is lost with the program, for tests. */
	engine?: "indexeddb" | "memory";
	/** 32 bytes. They are copied, and may be wiped when open has returned its promise. */
	key?: Uint8Array;
	/** A passphrase, as bytes; as key. */
	passphrase?: Uint8Array;
	/** A key that is not extractable: of HKDF, or of AES-GCM with what newWrappedKey returned. */
	cryptoKey?: CryptoKey;
	wrapped?: Uint8Array;
	/** What deriving a key from a passphrase takes, of a new store: KiB, and passes. */
	memory?: number;
	passes?: number;
	witness?: Witness;
	/** Opens the store also where the browser does not say that commits are durable. */
	withoutSync?: boolean;
	withoutNoticingCopies?: boolean;
}

export function open(how: OpenOptions, options?: CallOptions): Promise<Store>;

/** Makes the key of a new store, wrapped with an AES-GCM key that may encrypt. */
export function newWrappedKey(cryptoKey: CryptoKey): Promise<Uint8Array>;

type Program = string | URL | Response | BufferSource | WebAssembly.Module;

/** Says where the program is, and who gets the lines of its log (JSON), before the first store is opened. */
export function configure(settings: { wasm?: Program | (() => Program | Promise<Program>); log?: (line: string) => void }): void;

export interface Store extends StoreCalls {}
export class Store {
	private constructor();
	/** Closes the store with all that is open of it. With the last one the program ends, and its memory with all keys is dropped. */
	close(): Promise<void>;
	/** Whether navigator.storage.persist() was granted. */
	persisted(): Promise<boolean>;
	/** Bytes of memory that the program has, for all stores that are open. */
	readonly memory: number;
}

export interface Machine extends MachineCalls, MachineStreams {}
export class Machine {
	private constructor();
	close(): Promise<void>;
}
