package kvtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// player runs a script on a store.
type player struct {
	*env
	store kv.Store
	where string // file:line of the step
	txns  map[string]*transaction
}

// transaction is what one of a script's has read and means to write.
type transaction struct {
	snap  kv.Snapshot
	batch kv.Batch
}

func play(e *env, file string, steps []step) {
	p := &player{env: e, store: e.store(), txns: make(map[string]*transaction)}
	for _, s := range steps {
		p.where = fmt.Sprintf("%s:%d", file, s.line)
		p.play(s)
	}
}

func (p *player) play(s step) {
	p.Helper()
	switch s.verb {
	case "setup":
		p.write(p.store, puts(s.args)...)
	case "final":
		p.compare("content", pairs(p.content(p.store)), s.args)
	case "get":
		p.get(p.txn(s.who), s)
	case "scan":
		p.scan(p.txn(s.who), s)
	case "put":
		txn := p.txn(s.who)
		txn.batch.Writes = append(txn.batch.Writes, puts(s.args)...)
	case "delete":
		for _, key := range s.args {
			txn := p.txn(s.who)
			txn.batch.Writes = append(txn.batch.Writes, del(key))
		}
	case "commit":
		p.commit(p.txn(s.who), s)
		delete(p.txns, s.who)
	}
}

// txn returns the transaction, a new one if it has not begun.
func (p *player) txn(who string) *transaction {
	if p.txns[who] == nil {
		snap := p.store.Snapshot()
		p.Cleanup(snap.Close)
		p.txns[who] = &transaction{snap: snap}
	}
	return p.txns[who]
}

func (p *player) get(txn *transaction, s step) {
	p.Helper()
	var got []string
	for _, entry := range p.read(txn.snap, s.args...) {
		txn.batch.Reads = append(txn.batch.Reads, kv.Read{Key: entry.Key, Version: entry.Version})
		got = append(got, shown(entry))
	}
	p.compare("get", got, s.want)
}

func (p *player) scan(txn *transaction, s step) {
	p.Helper()
	entries := p.env.scan(txn.snap, s.args[0])
	txn.batch.Scans = append(txn.batch.Scans, kv.ScanRead{Prefix: s.args[0], Entries: readsOf(entries)})
	p.compare("scan", pairs(entries), s.want)
}

func (p *player) commit(txn *transaction, s step) {
	p.Helper()
	began, err := txn.snap.Version(p.ctx)
	if err != nil {
		p.Fatalf("%s: version: %v", p.where, err)
	}
	txn.batch.ID = kv.NewCommitID(began)
	version, err := p.store.Commit(p.ctx, &txn.batch)
	txn.snap.Close()
	if s.want[0] == "ok" {
		if err != nil || version == 0 && len(txn.batch.Writes) > 0 {
			p.Fatalf("%s: commit: version %d, %v, want success", p.where, version, err)
		}
		return
	}
	p.wantConflict(p.where+": commit", err, s.want[1:]...)
}

func (p *player) compare(what string, got, want []string) {
	p.Helper()
	if !slices.Equal(got, want) {
		p.Errorf("%s: %s: got %q, want %q", p.where, what, got, want)
	}
}

// checkNames returns an error unless err is a *kv.ConflictError that names one
// of the names at least and nothing else. A prefix is named with a star.
func checkNames(err error, names []string) error {
	var conflict *kv.ConflictError
	if !errors.As(err, &conflict) {
		return fmt.Errorf("%v: not a *kv.ConflictError", err)
	}
	got := slices.Clone(conflict.Keys)
	for _, prefix := range conflict.Prefixes {
		got = append(got, prefix+"*")
	}
	if len(got) == 0 {
		return fmt.Errorf("a conflict that names nothing, want some of %q", names)
	}
	for _, name := range got {
		if !slices.Contains(names, name) {
			return fmt.Errorf("a conflict over %q, want only some of %q", got, names)
		}
	}
	return nil
}

func readsOf(entries []kv.Entry) []kv.Read {
	var reads []kv.Read
	for _, entry := range entries {
		reads = append(reads, kv.Read{Key: entry.Key, Version: entry.Version})
	}
	return reads
}

func puts(words []string) []kv.Write {
	var writes []kv.Write
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if value == `""` {
			value = ""
		}
		writes = append(writes, put(key, value))
	}
	return writes
}

func pairs(entries []kv.Entry) []string {
	got := []string{}
	for _, entry := range entries {
		got = append(got, entry.Key+"="+shown(entry))
	}
	return got
}

func shown(entry kv.Entry) string {
	switch {
	case !entry.Exists():
		return "-"
	case len(entry.Value) == 0:
		return `""`
	}
	return string(entry.Value)
}
