// Plays the script in Node, with a store in memory: node node.mjs PACKAGE SCRIPT
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import "./play.js";

const [, , folder, script] = process.argv;
const pawl = await import(pathToFileURL(folder + "/node.js"));
const calls = await import(pathToFileURL(folder + "/calls.js"));
const kit = { ...pawl, calls: { ...calls.storeCalls, ...calls.machineCalls } };
for (const [method, call] of Object.entries(calls.machineStreams)) kit.calls[method] = { ...call, stream: true };
const made = await play(kit, readFileSync(script, "utf8"), "memory", "");
for (const method of Object.keys(kit.calls)) if (!made.has(method)) throw new Error(`the script does not call ${method}`);
console.log(`${made.size} calls`);
