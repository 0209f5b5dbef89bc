// The service worker: a push message wakes it, with no page open, perhaps.
import { Client, answer } from "./client.js";

let client; // a promise: the browser stops the worker, and the store with it
const opened = () => (client ??= Client.open("service worker").catch((e) => ((client = undefined), Promise.reject(e))));

addEventListener("push", (e) => e.waitUntil(show(e.data.json())));

/** Reads the event that a push message names. Its key has come, or comes by a page's sync, or by one of its own where no page is. */
async function show({ room_id, event_id }) {
	const client = await opened(), stop = new AbortController(), within = { deadline: 20_000 };
	const following = client.follow(stop.signal, within);
	const event = client.get(`rooms/${encodeURIComponent(room_id)}/event/${encodeURIComponent(event_id)}`);
	const reading = event.then((event) => client.tell({ ...event, room_id }, within));
	const { sender, body } = await reading.finally(() => stop.abort());
	if (Notification.permission === "granted") await registration.showNotification(sender, { body, tag: event_id });
	await following.then(() => client.told);
}

answer({ send: async (room, body) => (await opened()).send(room, body) });
