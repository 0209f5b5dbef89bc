//go:build !cryptohelper

package main

import (
	"flag"
	"fmt"
	"path/filepath"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"github.com/pawlkv/pawl/mautrix"
)

// driver says what the encryption of this program is.
const driver = "pawl"

var engine = flag.String("engine", "badger", "of a new store: badger or sqlite")

// newHelper is Pawl's, in a directory.
func newHelper(client *mautrix.Client, dir string, failed func(*event.Event, error)) (helper, error) {
	path := filepath.Join(dir, "bot.pawl")
	switch *engine {
	case "badger":
	case "sqlite":
		path = "sqlite:" + filepath.Join(dir, "bot.db")
	default:
		return nil, fmt.Errorf("no engine %q: give badger or sqlite", *engine)
	}
	h, err := pawlmautrix.NewCryptoHelper(client, []byte("a passphrase; yours is not in the program"), path)
	if err != nil {
		return nil, err
	}
	h.DecryptErrorCallback = failed
	return h, nil
}

func logIn(h helper, as *mautrix.ReqLogin) { h.(*pawlmautrix.CryptoHelper).LoginAs = as }
