// Package keyfile keeps the key of a store in a file beside it, for stores without
// a passphrase: as the command does, with the same file.
//
//	engine, err := badgerkv.Open("alice.pawl")
//	store, err := keyfile.Open(ctx, engine, filepath.Join("alice.pawl", "pawl.key"))
//
// The command's file is pawl.key in the directory of a Badger store, and the
// SQLite file's name with .key after it beside that.
//
// Such a file protects a copy of the engine's files that was made without it, and
// nothing against who reads both. A platform's keychain is better: pawl.WithKey.
//
// A key file is written whole, and before anything is sealed under its key; it is
// never replaced, and is refused if others may read it or if it is not as it was
// written. Processes that open an empty store at the same time get one key. All
// functions may be called from any number of goroutines and processes.
package keyfile
