// For Node, which reads the program from its file. There is no durable store: see docs/web.md.

import { readFile } from "node:fs/promises";
import { configure } from "./pawl.js";

configure({ wasm: () => readFile(new URL("pawl.wasm", import.meta.url)) });

export * from "./pawl.js";
