//go:build js

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/pawlkv/pawl/internal/proof/web/calls"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/idbkv"
)

// history makes random transactions on a store, in one of several tabs, and tells the
// server of the test before each call begins and after it has ended: name of the store,
// name of the tab, how many; "stale": from what it remembers.
func history(args []string) error {
	rounds, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	return play(args[0], args[1], rounds, len(args) > 3)
}

// player is one tab. One that is stale reads from what it remembers, as a cache does that
// nothing checks.
type player struct {
	id    string
	store kv.Store
	stale map[string]kv.Entry // nil: it reads the store
}

func play(name, id string, rounds int, stale bool) error {
	store, err := idbkv.Open(context.Background(), name)
	if err != nil {
		return err
	}
	p := &player{id: id, store: store}
	if stale {
		p.stale = make(map[string]kv.Entry)
	}
	for i := range rounds {
		if err := p.transact(fmt.Sprintf("r%d", rand.IntN(2)), fmt.Sprintf("%s.%d", id, i)); err != nil {
			return err
		}
	}
	return store.Close()
}

// transact reads a register and replaces what is there.
func (p *player) transact(key, to string) error {
	entry, err := p.read(key)
	if err != nil {
		return err
	}
	b := &kv.Batch{
		ID: kv.NewCommitID(entry.Version), Sync: rand.IntN(2) == 0,
		Reads: []kv.Read{{Key: key, Version: entry.Version}}, Writes: []kv.Write{{Key: key, Value: []byte(to)}},
	}
	call := calls.Call{Tab: p.id, Key: key, From: string(entry.Value), To: to}
	if call.Number, err = tell("/begin", call); err != nil {
		return err
	}
	_, err = p.store.Commit(context.Background(), b)
	switch {
	case err == nil:
		call.Outcome = calls.Applied
	case errors.Is(err, kv.ErrConflict):
		call.Outcome = calls.Conflict
	case errors.Is(err, kv.ErrUnknown):
		return nil // it has not ended
	default:
		return err
	}
	_, err = tell("/end", call)
	return err
}

func (p *player) read(key string) (kv.Entry, error) {
	call := calls.Call{Tab: p.id, Key: key}
	var err error
	if call.Number, err = tell("/begin", call); err != nil {
		return kv.Entry{}, err
	}
	entry, remembered := p.stale[key]
	if !remembered {
		view := p.store.Snapshot()
		defer view.Close()
		entries, err := view.Get(context.Background(), key)
		if err != nil {
			return kv.Entry{}, err
		}
		entry = entries[0]
		if p.stale != nil && entry.Exists() {
			p.stale[key] = entry
		}
	}
	call.From, call.Outcome = string(entry.Value), calls.Read
	_, err = tell("/end", call)
	return entry, err
}

// tell tells the server of a call, and returns the number that it has there.
func tell(path string, call calls.Call) (number int, err error) {
	err = exchange(path, call.Tab, call, &number)
	return number, err
}
