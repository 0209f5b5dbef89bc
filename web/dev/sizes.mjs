// What a browser loads: node sizes.mjs PROGRAM... prints for each its size, and what gzip -9
// and brotli -q 11 make of it.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const mb = (n) => (n / 1e6).toFixed(3).padStart(9);
console.log("program".padEnd(36) + "      raw   gzip -9 brotli -q 11 (MB)");
for (const path of process.argv.slice(2)) {
	const bytes = readFileSync(path);
	const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
	console.log(basename(path).padEnd(36) + mb(bytes.length) + mb(gzipSync(bytes, { level: 9 }).length) + mb(brotli.length));
}
