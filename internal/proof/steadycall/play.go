package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/coverage"
	"strconv"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// measurement is a case: on which engine the receiving device is, and whether
// another process owns it.
type measurement struct {
	name  string
	open  func(dir string) (kv.Store, error)
	guest bool
}

var cases = []measurement{
	{name: "badger", open: openBadger},
	{name: "badger-guest", open: openBadger, guest: true},
	{name: "sqlite", open: func(dir string) (kv.Store, error) { return sqlitekv.Open(filepath.Join(dir, "store.db")) }},
	{name: "memory", open: func(string) (kv.Store, error) { return memkv.New(), nil }},
}

func openBadger(dir string) (kv.Store, error) { return badgerkv.Open(filepath.Join(dir, "store")) }

func names() (all []string) {
	for _, c := range cases {
		all = append(all, c.name)
	}
	return all
}

// Messages that make the session steady, and that are measured.
const (
	warming  = 20
	measured = 5
)

// play is the process that is measured. It leaves what ran in each Decrypt in a
// folder of its own below dir.
func play(ctx context.Context, name, dir string) error {
	for _, c := range cases {
		if c.name == name {
			return c.play(ctx, dir)
		}
	}
	return fmt.Errorf("there is no case %q", name)
}

func (c measurement) play(ctx context.Context, dir string) (err error) {
	if c.guest {
		stop, err := startOwner(ctx, dir)
		if err != nil {
			return err
		}
		defer stop()
	}
	engine, err := c.open(dir)
	if err != nil {
		return err
	}
	defer engine.Close()
	next, err := converse(ctx, engine)
	if err != nil {
		return err
	}
	for range warming {
		if err := next(func() {}); err != nil {
			return err
		}
	}
	for i := range measured {
		into := filepath.Join(dir, calls, strconv.Itoa(i))
		if err := os.MkdirAll(into, 0o700); err != nil {
			return err
		}
		if err := coverage.WriteMetaDir(into); err != nil {
			return err
		}
		var failed error
		if err := next(func() { failed = coverage.ClearCounters() }); err != nil || failed != nil {
			return fmt.Errorf("decrypt: %v, clear the counters: %v", err, failed)
		}
		if err := coverage.WriteCountersDir(into); err != nil {
			return err
		}
	}
	return nil
}

// converse lets a device on the engine and one in memory begin a session, and
// returns what brings the next message: before is called just before it is
// decrypted.
func converse(ctx context.Context, engine kv.Store) (next func(before func()) error, err error) {
	bob, _, theirs, err := device(ctx, engine, "@bob:example.org")
	if err != nil {
		return nil, err
	}
	alice, key, ours, err := device(ctx, memkv.New(), "@alice:example.org")
	if err != nil {
		return nil, err
	}
	first, err := bob.Encrypt(ctx, ours, []byte("hello"), pawl.WithOneTimeKey(key))
	if err != nil {
		return nil, err
	}
	if _, err := alice.Decrypt(ctx, theirs, first.Message); err != nil {
		return nil, err
	}
	return func(before func()) error {
		sent, err := alice.Encrypt(ctx, theirs, []byte("how are you?"))
		if err != nil {
			return err
		}
		before()
		_, err = bob.Decrypt(ctx, ours, sent.Message)
		return err
	}, nil
}

// device makes an account, and returns a one-time key of it and its identity.
func device(ctx context.Context, engine kv.Store, user matrix.UserID) (m *pawl.Machine, oneTime, identity ratchet.PublicKey, err error) {
	store, err := pawl.Open(ctx, engine, pawl.WithKey([32]byte{1}))
	if err != nil {
		return nil, oneTime, identity, err
	}
	if m, err = store.Create(ctx, user, "PHONE"); err != nil {
		return nil, oneTime, identity, err
	}
	id, err := m.Identity(ctx)
	if err != nil {
		return nil, oneTime, identity, err
	}
	upload, err := m.KeysForUpload(ctx, 1)
	if err != nil {
		return nil, oneTime, identity, err
	}
	var body struct {
		Keys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(upload.Body, &body); err != nil {
		return nil, oneTime, identity, err
	}
	for _, k := range body.Keys {
		oneTime, err = ratchet.ParsePublicKey(k.Key)
	}
	return m, oneTime, id.Curve25519, err
}

// owning is the role of the process that owns the store of a guest.
const owning = "owner"

func startOwner(ctx context.Context, dir string) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, os.Args[0], dir)
	cmd.Env = append(os.Environ(), role+"="+owning)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() { stdin.Close(); cmd.Wait() }
	if _, err := io.ReadFull(stdout, make([]byte, len(ready))); err != nil {
		stop()
		return nil, fmt.Errorf("the owner does not open the store: %w", err)
	}
	return stop, nil
}

const ready = "owner\n"

// own keeps the store open until the standard input ends.
func own(dir string) error {
	store, err := openBadger(dir)
	if err != nil {
		return err
	}
	fmt.Print(ready)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return store.Close()
}
