package pawl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Two devices exchange their first messages. What stands for the homeserver here
// is a variable.
func Example() {
	ctx := context.Background()
	alice, bob := exampleDevice("@alice:example.org"), exampleDevice("@bob:example.org")

	// Bob uploads a one-time key, and Alice claims it.
	upload, err := bob.KeysForUpload(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	if err := bob.MarkPublished(ctx, upload); err != nil { // once the server has said 200
		log.Fatal(err)
	}
	claimed := exampleKey(upload)

	// Alice opens a session with it, and Bob answers in it.
	bobsKey, alicesKey := exampleCurve(bob), exampleCurve(alice)
	hello, err := alice.Encrypt(ctx, bobsKey, []byte("hello"), pawl.WithOneTimeKey(claimed))
	if err != nil {
		log.Fatal(err)
	}
	got, err := bob.Decrypt(ctx, alicesKey, hello.Message)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Bob reads %q\n", got.Plaintext)
	answer, err := bob.Encrypt(ctx, alicesKey, []byte("hello yourself"))
	if err != nil {
		log.Fatal(err)
	}
	read, err := alice.Decrypt(ctx, bobsKey, answer.Message)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Alice reads %q\n", read.Plaintext)
	// Output:
	// Bob reads "hello"
	// Alice reads "hello yourself"
}

// What a sync brings is decrypted in one commit. A message that comes twice, to
// this process or to another, has the same answer until it is acknowledged.
func ExampleMachine_DecryptBatch() {
	ctx := context.Background()
	alice, bob := exampleDevice("@alice:example.org"), exampleDevice("@bob:example.org")
	upload, err := bob.KeysForUpload(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	first, err := alice.Encrypt(ctx, exampleCurve(bob), []byte("first"), pawl.WithOneTimeKey(exampleKey(upload)))
	if err != nil {
		log.Fatal(err)
	}
	nonsense := ratchet.Message{Type: ratchet.PreKey, Body: []byte("no message")}

	sync := []pawl.Incoming{
		{Sender: exampleCurve(alice), Message: nonsense},
		{Sender: exampleCurve(alice), Message: first.Message},
		{Sender: exampleCurve(alice), Message: first.Message},
	}
	for range 2 {
		results, err := bob.DecryptBatch(ctx, sync)
		if err != nil {
			log.Fatal(err) // of the store: what has no result may be given again
		}
		for _, r := range results {
			fmt.Printf("%q, duplicate %t, error %q\n", r.Plaintext, r.Duplicate, pawl.CodeOf(r.Err))
		}
		// Once the plaintexts are stored:
		if err := bob.Acknowledge(ctx, results[1].Receipt); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// "", duplicate false, error "version"
	// "first", duplicate false, error ""
	// "first", duplicate true, error ""
	// "", duplicate false, error "version"
	// "", duplicate false, error "already_processed"
	// "", duplicate false, error "already_processed"
}

// An upload whose outcome nobody knows is abandoned: its keys keep their private
// parts, and no other upload has them.
func ExampleMachine_Abandon() {
	ctx := context.Background()
	alice := exampleDevice("@alice:example.org")
	if _, err := alice.KeysForUpload(ctx, 50); err != nil {
		log.Fatal(err)
	}
	// The process ended before the server had answered. The next one asks what
	// became of nothing.
	lost, err := alice.Outstanding(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := alice.Abandon(ctx, lost); err != nil {
		log.Fatal(err)
	}
	in, err := alice.Inspect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(lost.OneTimeKeys), in.Keys.Offered, in.Keys.Abandoned)
	// Output: 50 0 50
}

// A store that was restored from a backup is recognised by its witness. It sends
// nothing until it is recovered: what it would send may have been sent before.
func ExampleMachine_Recover() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "witness")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w := witness.NewFile(filepath.Join(dir, "pawl.witness"))
	defer w.Close()
	open := func(engine kv.Store) *pawl.Store {
		store, err := pawl.Open(ctx, engine, pawl.WithKey([32]byte{1}), pawl.WithWitness(w))
		if err != nil {
			log.Fatal(err)
		}
		return store
	}
	engine, backup := memkv.New(), memkv.New()
	alice, err := open(engine).Create(ctx, "@alice:example.org", "PHONE")
	if err != nil {
		log.Fatal(err)
	}
	copyAll(engine, backup)
	if _, err := alice.KeysForUpload(ctx, 50); err != nil { // the backup knows nothing of it
		log.Fatal(err)
	}

	restored, err := open(backup).Machine(ctx, "@alice:example.org", "PHONE")
	if err != nil {
		log.Fatal(err)
	}
	_, err = restored.KeysForUpload(ctx, 50)
	fmt.Println(errors.Is(err, pawl.ErrNeedsRecovery), pawl.CodeOf(err).Remedy())
	if _, err := restored.Recover(ctx); err != nil {
		log.Fatal(err)
	}
	upload, err := restored.KeysForUpload(ctx, 50)
	fmt.Println(len(upload.OneTimeKeys), err)
	// Output:
	// true recover
	// 50 <nil>
}

// A device moves to another engine. The old store only inspects afterwards, so
// that two of them never send.
func ExampleStore_CopyTo() {
	ctx := context.Background()
	key := pawl.WithKey([32]byte{1})
	old, err := pawl.Open(ctx, memkv.New(), key)
	if err != nil {
		log.Fatal(err)
	}
	alice, err := old.Create(ctx, "@alice:example.org", "PHONE")
	if err != nil {
		log.Fatal(err)
	}

	target := memkv.New() // a SQLite database, say
	copied, err := old.CopyTo(ctx, target, nil)
	if err != nil {
		log.Fatal(err)
	}
	// ErrMovedOn would mean that something was written meanwhile: copy again.
	if err := old.Retire(ctx, copied, account.Retirement{Path: "/new/alice.db"}); err != nil {
		log.Fatal(err)
	}
	if err := old.CompleteCopy(ctx, target, nil); err != nil {
		log.Fatal(err)
	}

	moved, err := pawl.Open(ctx, target, key)
	if err != nil {
		log.Fatal(err)
	}
	accounts, err := moved.Accounts(ctx)
	fmt.Println(len(accounts), err)
	_, err = alice.KeysForUpload(ctx, 1)
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// account: account was moved to another store: /new/alice.db
}

// copyAll makes one engine hold what another does, as a backup of its files.
func copyAll(from, to kv.Store) {
	snap := from.Snapshot()
	defer snap.Close()
	all := func(string) bool { return true }
	if err := copykv.Bring(context.Background(), snap, to, all, func() {}); err != nil {
		log.Fatal(err)
	}
}

// exampleDevice returns a new account in a store of its own.
func exampleDevice(user matrix.UserID) *pawl.Machine {
	ctx := context.Background()
	store, err := pawl.Open(ctx, memkv.New(), pawl.WithPassphrase([]byte("correct horse")))
	if err != nil {
		log.Fatal(err)
	}
	machine, err := store.Create(ctx, user, "PHONE")
	if err != nil {
		log.Fatal(err)
	}
	return machine
}

func exampleCurve(m *pawl.Machine) ratchet.PublicKey {
	id, err := m.Identity(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	return id.Curve25519
}

// exampleKey returns a one-time key of an upload, as a server gives it to who
// claims one.
func exampleKey(u pawl.Upload) ratchet.PublicKey {
	var body struct {
		OneTime map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		log.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(body.OneTime))
	key, err := ratchet.ParsePublicKey(body.OneTime[names[0]].Key)
	if err != nil {
		log.Fatal(err)
	}
	return key
}
