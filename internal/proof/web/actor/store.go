//go:build js

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"syscall/js"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/idbkv"
)

type step func(a *actor, ctx context.Context, args []string) (string, error)

// steps on a store; arguments are in the order in which they are used.
var steps = map[string]step{
	"open":    (*actor).open,
	"close":   func(a *actor, _ context.Context, _ []string) (string, error) { return "", a.store.Close() },
	"get":     (*actor).get,
	"put":     (*actor).put,
	"relaxed": (*actor).relaxed,
	"fill":    (*actor).fill,
	"turn":    (*actor).takeTurn,
	"release": func(a *actor, _ context.Context, _ []string) (string, error) { a.turn.Release(); return "", nil },
	"hold":    (*actor).hold,
	"let":     func(a *actor, _ context.Context, _ []string) (string, error) { a.let(); return "", nil },
	"raise":   (*actor).raise,
	"count":   (*actor).count,
	"stop":    (*actor).stopCounting,
	"counted": (*actor).counted,

	"commits":  (*actor).commits,
	"hot":      (*actor).hot,
	"decrypts": (*actor).decrypts,

	"device":  (*actor).openDevice,
	"call":    (*actor).call,
	"create":  (*actor).createDevice,
	"upload":  (*actor).upload,
	"why":     (*actor).why,
	"recover": (*actor).recover,
}

// open opens the store of a name, which waits for so many milliseconds.
func (a *actor) open(ctx context.Context, args []string) (_ string, err error) {
	wait, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	a.store, err = idbkv.Open(ctx, args[0], idbkv.WithWait(time.Duration(wait)*time.Millisecond))
	return "", err
}

// get returns the version and value of a key.
func (a *actor) get(ctx context.Context, args []string) (string, error) {
	view := a.store.Snapshot()
	defer view.Close()
	entries, err := view.Get(ctx, args[0])
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %s", entries[0].Version, entries[0].Value), nil
}

// put writes a value to a key, durably, and returns the version.
func (a *actor) put(ctx context.Context, args []string) (string, error) {
	return a.commit(ctx, args[0], []byte(args[1]), true)
}

// relaxed is put without waiting for the disk.
func (a *actor) relaxed(ctx context.Context, args []string) (string, error) {
	return a.commit(ctx, args[0], []byte(args[1]), false)
}

// fill writes so many bytes to a key, which nothing makes shorter.
func (a *actor) fill(ctx context.Context, args []string) (string, error) {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	value := make([]byte, n)
	rand.Read(value) // never fails
	return a.commit(ctx, args[0], value, true)
}

func (a *actor) commit(ctx context.Context, key string, value []byte, synced bool) (string, error) {
	version, err := a.store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(0), Sync: synced, Writes: []kv.Write{{Key: key, Value: value}}})
	return fmt.Sprint(version), err
}

// takeTurn takes the turn on a key.
func (a *actor) takeTurn(ctx context.Context, args []string) (_ string, err error) {
	a.turn, err = a.store.Turn(ctx, args[0])
	return "", err
}

// raise returns the format that the store has then.
func (a *actor) raise(ctx context.Context, _ []string) (string, error) {
	format, err := a.store.Raise(ctx)
	return fmt.Sprint(format), err
}

// hold opens a transaction on all of the store, and keeps it going until it is let go.
func (a *actor) hold(_ context.Context, args []string) (string, error) {
	js.Global().Call("eval", `globalThis.hold = (name, began) => new Promise((resolve, reject) => {
		const asked = indexedDB.open(name);
		asked.onerror = () => reject(asked.error);
		asked.onsuccess = () => {
			const tx = asked.result.transaction(["entries", "commits", "changes", "turns"], "readwrite");
			const again = () => {
				began();
				if (!globalThis.letGo) tx.objectStore("entries").count().onsuccess = again;
			};
			again();
		};
	})`)
	began := make(chan struct{}, 1)
	tell := js.FuncOf(func(js.Value, []js.Value) any {
		select {
		case began <- struct{}{}:
		default:
		}
		return nil
	})
	js.Global().Set("letGo", false)
	js.Global().Call("hold", args[0], tell)
	<-began
	a.let = func() { js.Global().Set("letGo", true) }
	return "", nil
}
