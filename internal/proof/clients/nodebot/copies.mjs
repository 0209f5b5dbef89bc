// Copies of a store of matrix-sdk-crypto, by way of IndexedDB itself: whose databases
// these are says the beginning of their names.
const done = (request) => new Promise((ok, failed) => {
  request.onsuccess = () => ok(request.result);
  request.onerror = () => failed(request.error);
});

// copy reads all that there is.
export async function copy(prefix) {
  const all = [];
  for (const { name, version } of await indexedDB.databases()) {
    if (!name.startsWith(prefix + "::")) continue;
    const db = await done(indexedDB.open(name));
    const stores = [];
    for (const s of db.objectStoreNames) {
      const store = db.transaction(s).objectStore(s);
      const indices = [...store.indexNames].map((i) => store.index(i)).map(({ name, keyPath, unique, multiEntry }) => ({ name, keyPath, unique, multiEntry }));
      const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
      stores.push({ name: s, keyPath: store.keyPath, autoIncrement: store.autoIncrement, indices, keys, values });
    }
    db.close();
    all.push({ suffix: name.slice(prefix.length), version, stores });
  }
  return all;
}

// restore makes the databases of a copy, under another beginning.
export async function restore(all, prefix) {
  for (const { suffix, version, stores } of all) {
    const opening = indexedDB.open(prefix + suffix, version);
    opening.onupgradeneeded = () => {
      for (const { name, keyPath, autoIncrement, indices, keys, values } of stores) {
        const store = opening.result.createObjectStore(name, { keyPath, autoIncrement });
        for (const i of indices) store.createIndex(i.name, i.keyPath, i);
        values.forEach((v, i) => (keyPath === null ? store.put(v, keys[i]) : store.put(v)));
      }
    };
    (await done(opening)).close();
  }
}
