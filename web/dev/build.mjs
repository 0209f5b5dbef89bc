// Builds the package of web/ to a folder: node build.mjs FOLDER. The program is built for
// this very revision and start-up script, and says so in a section of its own.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";
import { strip } from "./strip.mjs";
import { written } from "./wasm.mjs";

const root = resolve(import.meta.dirname, "../.."), web = join(root, "web"), to = resolve(process.argv[2]);
const run = (command, ...args) => execFileSync(command, args, { cwd: root, encoding: "utf8", env: { ...process.env, CGO_ENABLED: "0", GOOS: "js", GOARCH: "wasm" } }).trim();

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
for (const name of readdirSync(web)) if (/\.(js|d\.ts|md|json)$/.test(name)) cpSync(join(web, name), join(to, name));
cpSync(join(root, "LICENSE"), join(to, "LICENSE"));

/** What the package is made of: "unknown" where the sources are no clone. */
function revisionOf() {
	try {
		return run("git", "rev-parse", "HEAD") + (run("git", "status", "--porcelain", "--untracked-files=no") === "" ? "" : "+changes");
	} catch {
		return "unknown";
	}
}

const revision = revisionOf();
const built = { go: run("go", "env", "GOVERSION"), revision };

/** A section that means nothing to WebAssembly. */
function section(name, text) {
	const body = Buffer.concat([Buffer.from(written(name.length)), Buffer.from(name), Buffer.from(text)]);
	return Buffer.concat([Buffer.from([0, ...written(body.length)]), body]);
}

const program = join(to, "pawl.wasm");
run("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/pawlweb");
writeFileSync(program, Buffer.concat([strip(readFileSync(program)), section("pawl", JSON.stringify(built))]));

// Go's start-up script sees, instead of the global object, one that it is given.
const goroot = run("go", "env", "GOROOT"), start = readFileSync(join(goroot, "lib/wasm/wasm_exec.js"), "utf8");
writeFileSync(join(to, "go.js"), `// What the program was built from, and Go's start-up script, which sees the global object that it is given.

export const built = ${JSON.stringify(built)};

export function makeGo(globalThis) {
${start}
return globalThis.Go;
}
`);

// A page loads one file, and not one that names others. A worker that importScripts loads has
// no modules: the program lies beside the worker.
const bundle = { entryPoints: [join(to, "pawl.js")], bundle: true, target: "es2022", charset: "utf8" };
buildSync({ ...bundle, outfile: join(to, "pawl.classic.js"), format: "iife", globalName: "pawl", define: { "import.meta.url": "self.location.href" } });
buildSync({ ...bundle, outfile: join(to, "pawl.js"), format: "esm", allowOverwrite: true });
for (const part of ["errors", "form", "go", "instance", "secret"]) rmSync(join(to, part + ".js"));

const modules = new Map(run("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/pawlweb").split("\n").filter(Boolean).map((line) => line.split("\t")));
modules.set(`Go ${built.go}`, goroot);
let licences = "";
for (const [name, folder] of modules) {
	const file = readdirSync(folder).find((name) => /^LICEN[CS]E/i.test(name));
	licences += `${name}\n\n${readFileSync(join(folder, file), "utf8")}\n\n`;
}
writeFileSync(join(to, "LICENSES"), licences);
writeFileSync(join(to, "package.json"), JSON.stringify({ ...JSON.parse(readFileSync(join(web, "package.json"), "utf8")), gitHead: revision }, null, 2) + "\n");
