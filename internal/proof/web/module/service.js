// A service worker, of the classic build.
"use strict";
importScripts("/pawl/pawl.classic.js", "/module/calls.classic.js", "/module/play.js", "/module/cases.js", "/module/run.js");
pawl.configure({ wasm: "/pawl/pawl.wasm" });
addEventListener("install", (e) => e.waitUntil(runAsked(pawl, calls)));
