new Worker("/module/main.js" + location.search, { type: "module" });
