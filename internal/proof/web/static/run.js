// Runs the server's program in a page, a worker or a service worker, with the arguments in the address, and
// tells the server what it writes and how it ends.
"use strict";
if (typeof Go === "undefined") importScripts("/wasm_exec.js");
(() => {
	const asked = new URLSearchParams(location.search), id = encodeURIComponent(asked.get("id"));
	let told = Promise.resolve(), text = [];
	const tell = (path, body) => { told = told.then(() => fetch(path, { method: "POST", body })); return told; };
	const flush = () => {
		if (text.length === 0) return;
		const all = new Blob(text);
		text = [];
		tell("/out?id=" + id, all);
	};
	fs.writeSync = (fd, buf) => { if (text.push(buf.slice()) === 1) setTimeout(flush, 50); return buf.length; };
	fs.write = (fd, buf, offset, length, position, callback) => callback(null, fs.writeSync(fd, buf.subarray(offset, offset + length)));
	const go = new Go();
	go.argv = ["program", ...asked.getAll("arg")];
	go.env = Object.fromEntries(asked.getAll("env").map((e) => e.split("=", 2)));
	go.env.PAWL_ORIGIN = location.origin;
	let code = 0;
	go.exit = (c) => { code = c; };
	const ended = WebAssembly.instantiateStreaming(fetch("/" + (asked.get("program") || "program") + ".wasm"), go.importObject)
		.then((loaded) => go.run(loaded.instance))
		.catch((e) => { text.push(String(e.stack || e) + "\n"); code = 2; })
		.then(() => { flush(); return tell("/exit?id=" + id + "&code=" + code, ""); });
	// A service worker is stopped when it has nothing to do, and started by the next event.
	if (typeof ServiceWorkerGlobalScope !== "undefined") addEventListener("message", (e) => e.waitUntil(ended));
})();
