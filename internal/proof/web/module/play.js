// Plays a script of calls, that of the C library's test, through the module for JavaScript:
// each call must succeed. It is loaded as a module and by importScripts, so it exports nothing.
// A line is: a name for the answer, or "-"; what it is called on; the call; its parameters;
// then perhaps | and what goes beside them. ${name/path} is a part of an answer, as a value, and
// @{name/path} its text. "- is" in place of a call names what stands beside.
"use strict";

globalThis.play = async (pawl, script, engine, name) => {
	const answers = { engine, path: name, library: { open: (how, beside) => pawl.open(how, beside) } }, made = new Set();
	const camel = (name) => name.replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase());
	const part = (path) => path.split("/").reduce((value, step) => {
		if (typeof value === "string") value = JSON.parse(value);
		if (step === "*") return Object.values(value)[0];
		const [member, text] = step.split("=");
		if (text !== undefined) return value.find((item) => item[member] === text);
		return step in value ? value[step] : value[camel(step)];
	}, answers);
	const textOf = (value) => (typeof value === "string" ? value : JSON.stringify(value));
	const filled = (text, value) => text.replace(/@\{([^}]*)\}/g, (_, path) => textOf(part(path))).replace(/\$\{([^}]*)\}/g, (_, path) => value(part(path)));
	const given = (text) => {
		const values = [];
		const json = filled(text ?? "", (value) => `"\\u0000${values.push(value) - 1}"`);
		const read = (value) => {
			if (typeof value === "string") return value.startsWith("\0") ? values[value.slice(1)] : value;
			if (Array.isArray(value)) return value.map(read);
			if (typeof value !== "object" || value === null) return value;
			return Object.fromEntries(Object.entries(value).map(([name, part]) => [camel(name), read(part)]));
		};
		return read(JSON.parse(json || "{}"));
	};

	for (const [number, line] of script.split("\n").entries()) {
		if (line === "" || line.startsWith("#")) continue;
		const [, as, on, call, , params, , beside] = /^(\S+) (\S+) (\S+)( (\{.*?))?( \| (.*))?$/.exec(line) ?? [];
		if (on === "library" && made.size > 0 && engine === "memory") break; // nothing is left of it
		try {
			const body = beside === undefined ? undefined : filled(beside, JSON.stringify);
			const answer = await step(answers[on], on, call, params, body);
			if (as !== "-") answers[as] = answer;
		} catch (e) {
			throw new Error(`line ${number + 1}, ${call}: ${e.code ?? ""} ${e.message}`);
		}
	}
	return made;

	async function step(target, on, call, params, body) {
		if (call === "is") return JSON.parse(body);
		if (on === "library") {
			const { path, secret, engine, ...rest } = given(params);
			return pawl.open({ ...rest, name: path, engine, [secret]: new TextEncoder().encode(body) });
		}
		if (call === "close") return target.return ? target.return() : target.close();
		if (call === "next") {
			const item = await target.next();
			if (item.done) throw new Error("the stream has nothing");
			return item.value;
		}
		const method = camel(call), how = pawl.calls[method];
		made.add(method);
		if (how.stream) return target[method](given(params));
		const args = [];
		if (how.params) args.push(given(params));
		if (how.body) args.push(new TextEncoder().encode(body ?? ""));
		return target[method](...args);
	}
};
