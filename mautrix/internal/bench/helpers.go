package main

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// The names of systems and engines in rows.
const (
	ours    = "pawl, helper"
	machine = "pawl, Machine"
	theirs  = "cryptohelper"
	bare    = "commit and request"

	badger = "badger"
	sqlite = "sqlite"
	full   = "SQLite, synchronous=FULL"
	normal = "SQLite, synchronous=NORMAL"
)

// engine is one of Pawl's.
type engine struct {
	name string
	open func(dir string) (kv.Store, error)
}

var engines = []engine{
	{badger, func(dir string) (kv.Store, error) { return badgerkv.Open(filepath.Join(dir, "badger")) }},
	{sqlite, func(dir string) (kv.Store, error) { return sqlitekv.Open(filepath.Join(dir, "pawl.db")) }},
}

// opened is an engine with a store in it.
func (e engine) opened(ctx context.Context, dir string) (kv.Store, *pawl.Store, error) {
	k, err := e.open(dir)
	if err != nil {
		return nil, nil, err
	}
	store, err := pawl.Open(ctx, k, pawl.WithKey([32]byte{2}))
	if err != nil {
		return nil, nil, errors.Join(err, k.Close())
	}
	return k, store, nil
}

// systems are all that are measured beside one another.
func systems() []system {
	var all []system
	for _, e := range engines {
		all = append(all, system{
			"pawl-" + e.name, result.Row{System: ours, Engine: e.name, Durable: "everything, in one commit"},
			func(ctx context.Context, dir string, s *server) (*bot, error) { return openPawl(ctx, e, dir, s) },
		}, system{
			"machine-" + e.name, result.Row{System: machine, Engine: e.name, Durable: "everything, in one commit"},
			func(ctx context.Context, dir string, s *server) (*bot, error) { return openMachine(ctx, e, dir, s) },
		})
	}
	return append(all, system{
		"cryptohelper-full", result.Row{System: theirs, Engine: full, Durable: "everything, in several commits"},
		func(ctx context.Context, dir string, s *server) (*bot, error) { return openTheirs(ctx, true, dir, s) },
	}, system{
		"cryptohelper-normal", result.Row{System: theirs, Engine: normal, Durable: "nothing until SQLite's next checkpoint"},
		func(ctx context.Context, dir string, s *server) (*bot, error) { return openTheirs(ctx, false, dir, s) },
	})
}

// helper is what the two helpers have in common.
type helper interface {
	mautrix.CryptoHelper
	Machine() *crypto.OlmMachine
	Close() error
}

// helped is a bot with a helper, which begins here.
func helped(ctx context.Context, b *bot, h helper, close func() error) (*bot, error) {
	b.close = func() error { return errors.Join(h.Close(), close()) }
	if err := h.Init(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.client.Crypto, b.keys = h, h.Machine().CryptoStore
	b.say, b.take = b.send, b.process
	b.meet = func(ctx context.Context, user matrix.UserID) error {
		_, err := h.Machine().FetchKeys(ctx, []id.UserID{id.UserID(user)}, true)
		return err
	}
	var err error
	if b.since, err = b.client.Store.LoadNextBatch(ctx, b.client.UserID); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func openPawl(ctx context.Context, e engine, dir string, s *server) (*bot, error) {
	k, store, err := e.opened(ctx, dir)
	if err != nil {
		return nil, err
	}
	b := &bot{}
	if b.client, b.rooms, err = newClient(s, bob, bobDevice); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	h, err := pawlmautrix.NewCryptoHelper(b.client, []byte("not used"), store)
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	if b, err = helped(ctx, b, h, k.Close); err != nil {
		return nil, err
	}
	m, err := store.Machine(ctx, bob, bobDevice)
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	ask := b.meet
	b.meet = func(ctx context.Context, user matrix.UserID) error {
		if err := ask(ctx, user); err != nil {
			return err
		}
		return knows(ctx, m, user)
	}
	return b, nil
}

func openTheirs(ctx context.Context, full bool, dir string, s *server) (*bot, error) {
	b := &bot{}
	var err error
	if b.client, b.rooms, err = newClient(s, bob, bobDevice); err != nil {
		return nil, err
	}
	db, err := database(filepath.Join(dir, "bot.db"), full)
	if err != nil {
		return nil, err
	}
	h, err := cryptohelper.NewCryptoHelper(b.client, []byte("secret"), db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return helped(ctx, b, h, func() error { return nil })
}

// dialects are mautrix-go's own drivers, which are there with cgo.
var dialects = map[bool]string{false: "sqlite3-fk-wal", true: "sqlite3-fk-wal-fullsync"}

// database opens a database as cryptohelper does by itself, or with a sync after each
// commit.
func database(path string, full bool) (*dbutil.Database, error) {
	if slices.Contains(sql.Drivers(), dialects[full]) {
		return dbutil.NewWithDialect("file:"+path+"?_txlock=immediate", dialects[full])
	}
	synchronous := map[bool]string{false: "normal", true: "full"}[full]
	raw, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)&_pragma=synchronous("+synchronous+")")
	if err != nil {
		return nil, err
	}
	return dbutil.NewWithDB(raw, "sqlite3")
}

// versions says with which SQLite cryptohelper was measured.
func versions() []result.Version {
	name := "modernc.org/sqlite"
	if slices.Contains(sql.Drivers(), dialects[true]) {
		name = "github.com/mattn/go-sqlite3"
	}
	return []result.Version{{Name: "mautrix-go", Version: mautrix.Version}, {Name: "its SQLite", Version: name}}
}
