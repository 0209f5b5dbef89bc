package txn_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

func TestReports(t *testing.T) {
	var reports []txn.Report
	db := open(faulty.Commits(newStore(t), faulty.Conflict, faulty.LostUnknown), txn.NoCache,
		txn.WithObserver(func(r txn.Report) { reports = append(reports, r) }))
	pay(t, db, "pot", 1)
	balance(t, db, "pot")
	if len(reports) != 2 {
		t.Fatalf("%d reports, want 2", len(reports))
	}
	r := reports[0]
	if r.Attempts != 2 || !r.Committed || r.Conflicts != 1 || r.Kinds["purse"] != 1 || r.Unknown != 1 || r.RoundTrips != 5 {
		t.Errorf("report %+v", r)
	}
	if r.Time < r.Reading+r.Committing {
		t.Errorf("%v in all, %v reading, %v committing", r.Time, r.Reading, r.Committing)
	}
	if s := db.Stats(); s.Transactions != 2 || s.Released != 2 || s.Attempts != 3 || s.RoundTrips != 6 || s.Kinds["purse"] != 1 {
		t.Errorf("stats %+v", s)
	}
}

// The log tells of every turn of events, and of nobody's name.
func TestLogs(t *testing.T) {
	var logged bytes.Buffer
	handler := slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})
	faults := []faulty.Fault{
		faulty.Conflict, faulty.Conflict, faulty.Conflict, faulty.AppliedUnknown, faulty.None, // released in the end
		faulty.Conflict, faulty.None, // a failure, dropped once
		faulty.LostUnknown, faulty.DiskFull, // withheld
	}
	db := open(faulty.Commits(newStore(t), faults...), txn.NoCache,
		txn.WithLogger(slog.New(handler)), txn.WithSealer(keyring(t)))
	pay(t, db, "@alice:example.org", 1)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return take(tx, "@nobody:example.org") })
	wantErr(t, "an empty purse", err, errEmpty)
	_, err = payAgain(db)
	wantErr(t, "an outcome that stays unknown", err, kv.ErrUnknown)
	if strings.Contains(logged.String(), "example.org") {
		t.Errorf("the log has a name: %s", &logged)
	}
	type line struct {
		Level slog.Level `json:"level"`
		Msg   string     `json:"msg"`
	}
	told := map[line]bool{}
	for lines := json.NewDecoder(&logged); lines.More(); {
		var l line
		if err := lines.Decode(&l); err != nil {
			t.Fatal(err)
		}
		told[l] = true
	}
	for _, want := range []line{
		{slog.LevelDebug, "conflict: the transaction runs again"},
		{slog.LevelInfo, "contention: transactions queue for these keys"},
		{slog.LevelInfo, "a failure computed from what is no longer current was dropped: the transaction runs again"},
		{slog.LevelWarn, "the outcome of a commit is unknown: committing the identical batch again"},
		{slog.LevelInfo, "the commit of unknown outcome was applied"},
		{slog.LevelError, "the outcome of a commit stays unknown: its result is withheld"},
	} {
		if !told[want] {
			t.Errorf("nothing at level %v says %q", want.Level, want.Msg)
		}
	}
}
