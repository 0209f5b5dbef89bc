// A page: what people see of the client.
import { load, save } from "./session.js";

const worker = new Worker("worker.js", { type: "module" });
navigator.serviceWorker.register("service.js", { type: "module" });

const ask = (target, call, ...args) =>
	new Promise((resolve, reject) => {
		const { port1, port2 } = new MessageChannel();
		port1.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.is));
		target.postMessage({ call, args }, [port2]);
	});

/** What the forms do, and a console may. */
const client = (globalThis.client = {
	login: (session) => save(session).then(() => ask(worker, "start")),
	send: (room, body) => ask(worker, "send", room, body),
	reply: async (room, body) => ask((await navigator.serviceWorker.ready).active, "send", room, body),
});

/** Shows what any place has read. */
new BroadcastChannel("example").onmessage = ({ data: { id, room, sender, by, body, error } }) => {
	const line = document.createElement("li");
	Object.assign(line.dataset, { id, room, sender, by, ...(error && { error }) });
	line.textContent = body ?? error;
	document.querySelector("#messages").append(line);
};

const submits = (id, does) =>
	document.getElementById(id).addEventListener("submit", (e) => {
		e.preventDefault();
		does(Object.fromEntries(new FormData(e.target, e.submitter))).catch((error) => alert(error.message));
	});
submits("login", client.login);
submits("send", ({ room, body, by }) => (by ? client.reply : client.send)(room, body));

if (await load()) await ask(worker, "start");
