package idbkv

import (
	"context"
	"crypto/rand"
	"syscall/js"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// What the tests of outcomes make the browser do. They run in a browser, as the others do.

// openAs opens a store by a name, with options of this package alone.
func openAs(t *testing.T, name string, options ...Option) *Store {
	t.Helper()
	s, err := Open(t.Context(), name, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newName() string { return rand.Text() }

func puts(key, value string) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: key, Value: []byte(value)}}}
}

// commits makes a commit that must succeed.
func commits(t *testing.T, s *Store, b *kv.Batch) kv.Version {
	t.Helper()
	version, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// valueOf reads a key, "" where there is none.
func valueOf(t *testing.T, s *Store, key string) string {
	t.Helper()
	view := s.Snapshot()
	defer view.Close()
	entries, err := view.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(entries[0].Value)
}

// bare opens the database beside the store, as another tab would, with a version or as it
// is. It lets nobody's versionchange close it.
func bare(t *testing.T, name string, version ...any) js.Value {
	t.Helper()
	request := indexedDB.Call("open", append([]any{name}, version...)...)
	done := make(chan string, 1)
	for _, event := range []string{"success", "error"} {
		f := js.FuncOf(func(js.Value, []js.Value) any {
			done <- event
			return nil
		})
		t.Cleanup(f.Release)
		request.Set("on"+event, f)
	}
	select {
	case event := <-done:
		if event != "success" {
			t.Fatalf("open %q beside the store: %s", name, request.Get("error").Get("message").String())
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("open %q beside the store: it does not end", name)
	}
	db := request.Get("result")
	t.Cleanup(func() { db.Call("close") })
	return db
}

// hold keeps a transaction on all of the store going, as a frozen tab does, until it is let
// go.
func hold(t *testing.T, db js.Value) (let func()) {
	t.Helper()
	tx := db.Call("transaction", []any{entriesStore, commitsStore, changesStore, turnsStore}, "readwrite")
	store := tx.Call("objectStore", entriesStore)
	over, began := make(chan struct{}), make(chan struct{}, 1)
	var again js.Func
	again = js.FuncOf(func(js.Value, []js.Value) any {
		select {
		case began <- struct{}{}:
		default:
		}
		select {
		case <-over:
		default:
			store.Call("count").Set("onsuccess", again)
		}
		return nil
	})
	ended := make(chan struct{})
	complete := js.FuncOf(func(js.Value, []js.Value) any {
		close(ended)
		return nil
	})
	tx.Set("oncomplete", complete)
	store.Call("count").Set("onsuccess", again)
	<-began
	return func() {
		close(over)
		<-ended
		again.Release()
		complete.Release()
	}
}

// later makes the events of transactions that begin from now on come when it is let go,
// and not when the browser has them; as says how a commit ends then: "complete", or the
// name of an error with which it is aborted.
func later(t *testing.T, as string) (let func()) {
	t.Helper()
	js.Global().Call("eval", `(() => {
		const proto = IDBTransaction.prototype, kept = [], was = {};
		for (const name of ["oncomplete", "onabort", "error"]) was[name] = Object.getOwnPropertyDescriptor(proto, name);
		globalThis.testAs = "complete";
		Object.defineProperty(proto, "oncomplete", { configurable: true, set(f) {
			if (this.mode !== "readwrite") { was.oncomplete.set.call(this, f); return; }
			was.oncomplete.set.call(this, (e) => kept.push(() => f(testAs === "complete" ? e : { type: "abort" })));
		} });
		Object.defineProperty(proto, "error", { configurable: true, get() {
			return testAs === "complete" ? was.error.get.call(this) : new DOMException("made up", testAs);
		} });
		globalThis.testLet = () => {
			for (const call of kept.splice(0)) call();
			for (const name in was) Object.defineProperty(proto, name, was[name]);
		};
		globalThis.testKept = () => kept.length;
	})()`)
	js.Global().Set("testAs", as)
	return func() { js.Global().Call("testLet") }
}

// arrived waits until the end of a transaction was kept back.
func arrived(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); js.Global().Call("testKept").Int() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no transaction has ended")
		}
	}
}

// inBackground begins a commit.
func inBackground(ctx context.Context, s *Store, b *kv.Batch) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := s.Commit(ctx, b)
		done <- err
	}()
	return done
}
