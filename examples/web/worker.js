// What a page does of the client: it runs in a worker, where timers are not late.
import { Client, answer } from "./client.js";

let client; // a promise

answer({
	start: async () => void (await (client ??= Client.open("page"))).follow(new AbortController().signal),
	send: async (room, body) => (await client).send(room, body),
});
