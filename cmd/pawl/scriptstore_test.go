package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/matrix"
)

// cmdLetters is "letters STORE TO N OUT": it encrypts N letters for an identity
// key in one go and writes them as lines for decrypt --jsonl.
func cmdLetters(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: letters STORE TO N OUT")
	}
	to, err := parseKey("TO", args[1])
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	out, err := os.Create(ts.MkAbs(args[3]))
	ts.Check(err)
	defer out.Close()
	withMachine(ts, args[0], time.Now, func(ctx context.Context, m *pawl.Machine) {
		id, err := m.Identity(ctx)
		ts.Check(err)
		for i := range n {
			made, err := m.Encrypt(ctx, to, []byte("letter "+strconv.Itoa(i)))
			ts.Check(err)
			ts.Check(cli.PrintJSON(out, map[string]any{
				"sender_key": id.Curve25519.String(),
				"type":       int(made.Message.Type),
				"body":       unpadded.Encode(made.Message.Body),
			}))
		}
	})
}

// cmdOwnWitness is "ownwitness STORE": a program with a witness of its own opens a
// store.
func cmdOwnWitness(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ownwitness STORE")
	}
	p := placeIn(ts, args[0])
	key, err := keyfile.Read(p.keyFile())
	ts.Check(err)
	withEngine(ts, p, func(engine kv.Store) {
		own := witness.NewFile(ts.MkAbs("own"))
		defer own.Close()
		_, err := pawl.Open(context.Background(), engine, pawl.WithKey(key.Reveal()), pawl.WithWitness(own))
		ts.Check(err)
	})
}

// cmdReceived is "received STORE FROM FILE DAYS": the message in a file was
// decrypted that many days ago.
func cmdReceived(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: received STORE FROM FILE DAYS")
	}
	from, err := parseKey("FROM", args[1])
	ts.Check(err)
	message, err := parseMessage([]byte(ts.ReadFile(args[2])))
	ts.Check(err)
	days, err := strconv.Atoi(args[3])
	ts.Check(err)
	then := func() time.Time { return time.Now().AddDate(0, 0, -days) }
	withMachine(ts, args[0], then, func(ctx context.Context, m *pawl.Machine) {
		_, err := m.Decrypt(ctx, from, message)
		ts.Check(err)
	})
}

// withMachine opens the only account of a store with a key file.
func withMachine(ts *testscript.TestScript, store string, now func() time.Time, fn func(context.Context, *pawl.Machine)) {
	ctx, p := context.Background(), placeIn(ts, store)
	key, err := keyfile.Read(p.keyFile())
	ts.Check(err)
	withEngine(ts, p, func(engine kv.Store) {
		s, err := pawl.Open(ctx, engine, pawl.WithKey(key.Reveal()), pawl.WithClock(now))
		ts.Check(err)
		ids, err := s.Accounts(ctx)
		ts.Check(err)
		if len(ids) != 1 {
			ts.Fatalf("%s has %d accounts, want 1", store, len(ids))
		}
		m, err := s.Machine(ctx, ids[0].UserID, ids[0].DeviceID)
		ts.Check(err)
		fn(ctx, m)
	})
}

// placeIn is the place of a store in the script's directory.
func placeIn(ts *testscript.TestScript, store string) place {
	p, err := parsePlace(store)
	ts.Check(err)
	p.path = ts.MkAbs(p.path)
	return p
}

func withEngine(ts *testscript.TestScript, p place, fn func(kv.Store)) {
	engine, err := p.open(context.Background())
	// Somebody may have the lock for a moment. That was seen once, most likely by a program
	// that another script was starting: until it begins it has all files of this process.
	for late := time.After(time.Minute); errors.Is(err, kv.ErrUnavailable); engine, err = p.open(context.Background()) {
		select {
		case <-late:
			ts.Check(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	ts.Check(err)
	defer func() { ts.Check(engine.Close()) }()
	fn(engine)
}

// cmdDamage is "damage STORE KIND lose|change": the first record of a kind is
// deleted, or one of its bits is changed.
func cmdDamage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: damage STORE KIND lose|change")
	}
	ctx := context.Background()
	withEngine(ts, placeIn(ts, args[0]), func(engine kv.Store) {
		e := firstOf(ts, engine, args[1])
		w := kv.Write{Key: e.Key, Delete: args[2] == "lose"}
		if !w.Delete {
			w.Value = append([]byte{}, e.Value...)
			w.Value[len(w.Value)-1] ^= 1
		}
		_, err := engine.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(e.Version), Writes: []kv.Write{w}, Sync: true})
		ts.Check(err)
	})
}

func firstOf(ts *testscript.TestScript, engine kv.Store, kind string) kv.Entry {
	snap := engine.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(context.Background(), "") {
		ts.Check(err)
		if parts := strings.Split(e.Key, "/"); len(parts) > 1 && parts[1] == kind {
			return e
		}
	}
	ts.Fatalf("there is no %s record", kind)
	return kv.Entry{}
}

// cmdHolding is "holding STORE": another process has it open from here on.
func cmdHolding(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holding STORE")
	}
	engine, err := placeIn(ts, args[0]).open(context.Background())
	ts.Check(err)
	ts.Defer(func() { engine.Close() })
}

// cmdMade is "made STORE USER DEVICE DAYS": a new store with a key file, whose
// account was made that many days ago.
func cmdMade(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: made STORE USER DEVICE DAYS")
	}
	days, err := strconv.Atoi(args[3])
	ts.Check(err)
	then := func() time.Time { return time.Now().AddDate(0, 0, -days) }
	p := placeIn(ts, args[0])
	withEngine(ts, p, func(engine kv.Store) {
		key, err := keyfile.Create(p.keyFile())
		ts.Check(err)
		ctx := context.Background()
		s, err := pawl.Open(ctx, engine, pawl.WithKey(key.Reveal()), pawl.WithClock(then))
		ts.Check(err)
		_, err = s.Create(ctx, matrix.UserID(args[1]), matrix.DeviceID(args[2]))
		ts.Check(err)
	})
}

// cmdTables is "tables STORE lose|flip N": the Nth table of a directory, from 1, is
// removed, or a bit of its first block is changed.
func cmdTables(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: tables STORE lose|flip N")
	}
	names, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*.sst"))
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	if n < 1 || n > len(names) {
		ts.Fatalf("there are %d tables", len(names))
	}
	if args[1] == "lose" {
		ts.Check(os.Remove(names[n-1]))
		return
	}
	flipByte(ts, names[n-1], 20)
}

// cmdPage is "page FILE HOW": of an SQLite file a bit is changed in the first page
// that has records and not the keyring ("records"), or in the last page ("last"),
// or the first of these changes places with the one behind it ("swap"), or all but the
// first page have the checksums of what they had before ("sums").
func cmdPage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: page FILE records|last|swap|sums")
	}
	const pageSize, leafOfIndex = 4096, 0x0a
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	switch args[1] {
	case "last":
		flipByte(ts, path, len(data)-pageSize/2)
		return
	case "sums": // as another program leaves them: those of the content before
		for at := pageSize; at < len(data); at += pageSize {
			data[at+pageSize-1] ^= 1
		}
		ts.Check(os.WriteFile(path, data, 0o600))
		return
	}
	for at := pageSize; at+2*pageSize <= len(data); at += pageSize {
		page := data[at : at+pageSize]
		if page[0] != leafOfIndex || bytes.Contains(page, []byte("_/keyring")) || bytes.Contains(page, []byte("_/account")) {
			continue
		}
		if args[1] == "swap" {
			data = slices.Concat(data[:at], data[at+pageSize:][:pageSize], page, data[at+2*pageSize:])
			ts.Check(os.WriteFile(path, data, 0o600))
		} else {
			flipByte(ts, path, at+pageSize/2)
		}
		return
	}
	ts.Fatalf("there is no such page")
}

func flipByte(ts *testscript.TestScript, path string, at int) {
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[at] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}
