// A client of one device, which every page and the service worker has for itself, over one
// store and with one access token. docs/client.md says why each step is as it is.
import { open } from "./pawl/pawl.js";
import { load } from "./session.js";

const api = "/_matrix/client/v3/", filter = '{"room":{"timeline":{"limit":1000}}}';
const news = new BroadcastChannel("example"); // what was read, for the pages
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const part = encodeURIComponent;

/** Does something again until it succeeds or fails for good: fetch fails with a TypeError where there is no network. */
const patiently = (does, wait = 50) =>
	does().catch(async (e) => {
		if (!(e instanceof TypeError || e.status === 429 || e.status >= 500)) throw e;
		await pause(wait);
		return patiently(does, Math.min(2 * wait, 5000));
	});

export class Client {
	/** Opens the device of the session. by names this place where others are told what it read. */
	static async open(by) {
		const { cryptoKey, ...session } = await load();
		const store = await open({ name: "example.pawl", cryptoKey });
		const device = await store.openOrCreate({ user: session.user, device: session.device });
		return Object.assign(new Client(), { by, session, device });
	}

	async ask(method, path, body, signal) {
		const { homeserver, token } = this.session;
		const response = await fetch(homeserver + path, { method, body, signal, headers: { authorization: "Bearer " + token } });
		const text = await response.text();
		if (response.ok) return text;
		throw Object.assign(new Error(`the server answers ${response.status}`), { status: response.status, body: text });
	}

	get(path) {
		return patiently(() => this.ask("GET", api + path)).then(JSON.parse);
	}

	/** Sends a request of Pawl's and tells it what came of that. fetch does not say how far one without an answer came. */
	async deliver({ id: request, method, path, body }) {
		const failed = (how, beside) => this.device.markFailed({ request, ...how }, beside);
		const answer = await this.ask(method, path, body).catch((e) => e);
		try {
			if (typeof answer === "string") await this.device.markSent({ request }, answer);
			else if (answer.status === 429) await failed({ why: "later", until: Date.now() + 1000 });
			else if (answer.status) await failed({ why: "refused", status: answer.status }, answer.body);
			else await failed({ why: "unknown" });
		} catch (e) {
			if (e.code === "answer") await failed({ why: "unknown" }); // of a proxy, perhaps
			else if (e.code !== "no_request") throw e; // else another place was first
		}
	}

	/** Sends what is due: keys of this device, and questions for those of others. */
	async sendDue() {
		for (let due; (due = (await this.device.outgoingRequests()).requests).length > 0; )
			for (const request of due) await this.deliver(request);
	}

	/** Syncs until the signal, one place at a time. What came for rooms is told to all pages, which told waits for. */
	async follow(signal, options) {
		for (let wait = 0; !signal.aborted; wait = 30_000)
			try {
				const sync = () => this.sync(wait, signal);
				for (const event of await navigator.locks.request("example syncs", { signal }, sync))
					this.told = Promise.all([this.told, this.tell(event, options)]).then(() => {});
				await this.sendDue();
			} catch (e) {
				if (!signal.aborted) await pause(1000, console.error(e));
			}
	}

	/** One sync, from where the device stopped, whichever place it was. Returns the events of rooms. */
	async sync(wait, signal) {
		const { ticket, since } = await this.device.nextSync();
		const query = new URLSearchParams({ filter, timeout: wait, ...(since && { since }) });
		const response = await this.ask("GET", `${api}sync?${query}`, undefined, signal);
		const got = await this.device.receiveSync({ ticket }, response);
		await this.device.acknowledge({ receipts: got.events.filter((e) => e.encrypted).map((e) => e.receipt) });
		const rooms = Object.entries(JSON.parse(response).rooms?.join ?? {});
		return rooms.flatMap(([room, { timeline }]) => (timeline?.events ?? []).map((e) => ({ ...e, room_id: room })));
	}

	/** Reads an encrypted event and tells all pages what it says. Its key is waited for, until the deadline. */
	async tell({ room_id: room, event_id: id, sender, type, content }, options) {
		if (type !== "m.room.encrypted") return;
		const told = { room, id, sender, by: this.by };
		try {
			while ((told.body = await this.read(room, id, sender, content)) === undefined)
				await this.device.waitForRoomKey({ room, session: content.session_id, sender }, options);
		} catch (e) {
			told.error = `${e.code}: ${e.message}`;
		}
		news.postMessage(told);
		return told;
	}

	/** The text of a message, or undefined while its key has not come. */
	async read(room, id, sender, content) {
		try {
			const clear = await this.device.decryptRoomEvent({ room, id, sender }, JSON.stringify(content));
			return String(JSON.parse(clear.content).body);
		} catch (e) {
			if (e.code !== "no_room_key") throw e;
		}
	}

	/** Encrypts a text for a room and sends it. Returns the event's id. */
	async send(room, body) {
		if (!(await this.device.room({ room })).encrypted) throw new Error("the room is not known to be encrypted");
		const text = JSON.stringify({ msgtype: "m.text", body });
		const path = `${api}rooms/${part(room)}/send/m.room.encrypted/${crypto.randomUUID()}`;
		for (;;)
			try {
				await this.share(room);
				const { content } = await this.device.encryptRoomEvent({ room, type: "m.room.message" }, text);
				return JSON.parse(await patiently(() => this.ask("PUT", path, content))).event_id;
			} catch (e) {
				if (e.code !== "not_shared" && e.code !== "rotate") throw e; // somebody came or left meanwhile
			}
	}

	/** Gives the room's key to all who are there. */
	async share(room) {
		for (;;) {
			const { chunk } = await this.get(`rooms/${part(room)}/members`); // of now: somebody may come meanwhile
			const members = chunk.filter((e) => ["join", "invite"].includes(e.content.membership)).map((e) => e.state_key);
			const { done, requests } = await this.device.shareRoomKey({ room, members });
			for (const request of requests) await this.deliver(request);
			if (done) return;
			if (requests.length === 0) await pause(100); // another place has them, or the server asked to wait
		}
	}
}

/** Lets pages ask for what a place does: each question comes with a port for the answer. */
export function answer(calls) {
	addEventListener("message", (e) => {
		const { call, args } = e.data, [port] = e.ports;
		const answered = calls[call](...args).then(
			(is) => port.postMessage({ is }),
			(error) => port.postMessage({ error: `${error.code ?? error.name}: ${error.message}` }));
		e.waitUntil?.(answered); // a service worker is stopped when it has nothing to do
	});
}
