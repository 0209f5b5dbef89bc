// Runs what the address asks for, and tells the server how it ended.
"use strict";

globalThis.runAsked = async (pawl, calls) => {
	const asked = new URLSearchParams(location.search), id = encodeURIComponent(asked.get("id"));
	const tell = (path, body) => fetch(path, { method: "POST", body });
	let said = "", code = 0;
	try {
		const kit = { ...pawl, calls: {} };
		for (const [streams, part] of [[false, calls.storeCalls], [false, calls.machineCalls], [true, calls.machineStreams]])
			for (const [method, call] of Object.entries(part)) kit.calls[method] = { ...call, stream: streams };
		switch (asked.get("arg")) {
			case "script": {
				const script = await (await fetch("/module/calls.txt")).text();
				const made = await play(kit, script, "indexeddb", crypto.randomUUID());
				for (const method of Object.keys(kit.calls)) if (!made.has(method)) throw new Error(`the script does not call ${method}`);
				said = `${made.size} calls\n`;
				break;
			}
			case "sync":
				said = await longSync(kit, 1000);
				break;
			case "long sync":
				said = await longSync(kit, 10_000);
				break;
			case "messages":
				said = await manyMessages(kit, 10_000);
				break;
			case "cases":
				for (const [name, does] of Object.entries(cases(kit))) {
					try {
						await does();
					} catch (e) {
						throw new Error(`${name}: ${e.stack}`);
					}
					said += name + "\n";
				}
		}
	} catch (e) {
		said += e.stack;
		code = 1;
	}
	await tell("/out?id=" + id, said);
	await tell("/exit?id=" + id + "&code=" + code, "");
};
