// What a program of somebody else's looks like to the compiler, and to bundlers.

import { type Code, type EncryptRoomEventResult, type Machine, PawlError, open } from "@pawlkv/pawl";

/** Two devices of one store write to each other. */
export async function talk(): Promise<string> {
	const store = await open({ name: crypto.randomUUID(), key: crypto.getRandomValues(new Uint8Array(32)) }, { deadline: 60_000 });
	const alice: Machine = await store.openOrCreate({ user: "@alice:example.org", device: "PHONE" });
	const bob = await store.openOrCreate({ user: "@bob:example.org", device: "PHONE" });
	const upload = await bob.keysForUpload({ count: 1 });
	const keys = JSON.parse(upload.body ?? "").one_time_keys as Record<string, { key: string }>;
	await bob.markPublished({ oneTimeKeys: upload.oneTimeKeys, fallback: upload.fallback });
	const { curve25519: peer } = await bob.identity();
	const { curve25519: sender } = await alice.identity();
	const [oneTimeKey] = Object.values(keys);
	const { message } = await alice.encrypt({ peer, oneTimeKey: oneTimeKey?.key ?? "" }, "hello");
	const { plaintext, receipt } = await bob.decrypt({ sender, message });
	await bob.acknowledge({ receipts: [receipt] });
	for await (const event of alice.events({}, { signal: AbortSignal.timeout(60_000) })) {
		if (event.kind === "resync") break;
	}
	const code = await alice.encryptRoomEvent({ room: "!r:example.org", type: "m.room.message" }, "{}").then((_: EncryptRoomEventResult): Code | "none" => "none", codeOf);
	await store.close();
	return new TextDecoder().decode(plaintext) + ", " + code;
}

function codeOf(e: unknown): Code {
	if (e instanceof PawlError) return e.code;
	throw e;
}

// @ts-expect-error: a call does not take what it does not have
export const wrong = (machine: Machine) => machine.decrypt({ from: "somebody" });
