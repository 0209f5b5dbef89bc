// Bundles main.ts in the folder it is run in, with esbuild and with Vite: node build.mjs TOOLS
import { cpSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(process.argv[2] + "/package.json");
const load = async (name) => import(pathToFileURL(resolve(name)));
const esbuild = await load("esbuild"), vite = await load("vite");

await esbuild.build({ entryPoints: ["main.ts"], outfile: "esbuild/main.js", bundle: true, format: "esm", minify: true, logLevel: "warning" });
cpSync("node_modules/@pawlkv/pawl/pawl.wasm", "esbuild/pawl.wasm"); // it lies beside the bundle
writeFileSync("esbuild/index.html", '<!doctype html><meta charset="utf-8"><script type="module" src="main.js"></script>');

writeFileSync("index.html", '<!doctype html><meta charset="utf-8"><script type="module" src="main.ts"></script>');
await vite.build({ base: "./", logLevel: "warn", build: { outDir: "vite", modulePreload: { polyfill: false } } });
