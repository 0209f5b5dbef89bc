//go:build cryptohelper

package main

import (
	"path/filepath"

	sqlite "github.com/ncruces/go-sqlite3/driver"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
)

// driver says what the encryption of this program is.
const driver = "mautrix-go's cryptohelper"

// newHelper is mautrix-go's own, on SQLite without C.
func newHelper(client *mautrix.Client, dir string, failed func(*event.Event, error)) (helper, error) {
	raw, err := sqlite.Open("file:" + filepath.Join(dir, "own.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		return nil, err
	}
	h, err := cryptohelper.NewCryptoHelper(client, []byte("a pickle key"), db)
	if err != nil {
		return nil, err
	}
	h.DecryptErrorCallback = failed
	return h, nil
}

func logIn(h helper, as *mautrix.ReqLogin) { h.(*cryptohelper.CryptoHelper).LoginAs = as }
