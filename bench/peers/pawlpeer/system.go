package pawlpeer

import (
	"context"
	"path/filepath"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/peers/stored"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/txn"
)

const (
	durable = "everything, in one commit a message, or a batch of them"
	also    = "Seals every record; keeps a receipt of each message with what is needed to answer it again. " +
		"Room keys: the whole sync, from its ticket and the response's bytes to the token. " +
		"Opening and encrypting: one device after the other, which is read from the store, and a synced commit for each. " +
		"Sharing: until Pawl says that it is done; the request is stored before it leaves. Missing sessions: stores the claims."
)

// Systems are Pawl on its engines and with its two policies.
func Systems() []stored.System {
	return []stored.System{
		system("badger", openBadger, "none", txn.NoCache),
		system("badger-validated", openBadger, "validated", txn.Validated),
		system("sqlite", openSQLite, "none", txn.NoCache),
		system("sqlite-validated", openSQLite, "validated", txn.Validated),
	}
}

type opener struct {
	engine string
	open   func(dir string) (kv.Store, error)
}

var (
	openBadger = opener{"badger", func(dir string) (kv.Store, error) { return badgerkv.Open(filepath.Join(dir, "badger")) }}
	openSQLite = opener{"sqlite", func(dir string) (kv.Store, error) { return sqlitekv.Open(filepath.Join(dir, "pawl.db")) }}
)

func system(name string, o opener, design string, cache txn.CachePolicy) stored.System {
	return stored.System{
		Name: "pawl-" + name,
		Row:  result.Row{System: "pawl", Design: design, Engine: o.engine, Durable: durable, Also: also},
		Open: func(ctx context.Context, dir string) (stored.Bob, error) {
			engine, err := o.open(dir)
			if err != nil {
				return nil, err
			}
			return open(ctx, engine, pawl.WithCache(cache))
		},
	}
}
