//go:build peers

package mautrix

import (
	"context"

	"maunium.net/go/mautrix/crypto/olm"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/peers/stored"
	"github.com/pawlkv/pawl/bench/result"
)

// also is what its calls do besides.
const also = "Keeps sessions in memory once they are loaded and holds one lock around each message; message hash, session and room key are autocommits of their own. " +
	"Reads the sender's device. A claim's response is parsed from JSON; a sync's and room events are parsed beforehand, and a sync's token is not stored."

// lacks: both happen only while it encrypts or shares.
var lacks = map[string]string{
	peer.WorkloadClaim:   "not by itself: it claims while it encrypts, see peers open",
	peer.WorkloadMissing: "not by itself: it looks while it shares",
}

// Systems are mautrix-go with SQLite's two kinds of durability.
func Systems() []stored.System {
	return []stored.System{
		system("normal", "sqlite3-fk-wal", "SQLite, synchronous=NORMAL", "nothing until SQLite's next checkpoint: power loss forgets the latest messages"),
		system("full", "sqlite3-fk-wal-fullsync", "SQLite, synchronous=FULL", "everything, in several commits: a crash between them leaves some"),
	}
}

func system(name, dialect, engine, durable string) stored.System {
	return stored.System{
		Name:  "mautrix-" + name,
		Row:   result.Row{System: "mautrix-go with " + olm.Driver, Engine: engine, Durable: durable, Also: also},
		Lacks: lacks,
		Open:  func(ctx context.Context, dir string) (stored.Bob, error) { return open(ctx, dir, dialect) },
	}
}
