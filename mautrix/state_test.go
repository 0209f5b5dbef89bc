package pawlmautrix

import (
	"sync"
	"testing"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/sqlstatestore"
)

// Any number of processes may make the tables of a state at once.
func TestUpgradesAtOnce(t *testing.T) {
	for range 20 {
		at := place{path: t.TempDir() + "/bot.pawl"}
		var done sync.WaitGroup
		for range 4 {
			raw, err := at.openState()
			if err != nil {
				t.Fatal(err)
			}
			db, err := dbutil.NewWithDB(raw, "sqlite3")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			done.Go(func() {
				if err := upgrade(t.Context(), sqlstatestore.NewSQLStateStore(db, nil, false)); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
	}
}
