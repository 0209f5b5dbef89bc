package txn_test

import (
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
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
	core, logs := observer.New(zapcore.DebugLevel)
	faults := []faulty.Fault{
		faulty.Conflict, faulty.Conflict, faulty.Conflict, faulty.AppliedUnknown, faulty.None, // released in the end
		faulty.Conflict, faulty.None, // a failure, dropped once
		faulty.LostUnknown, faulty.DiskFull, // withheld
	}
	db := open(faulty.Commits(newStore(t), faults...), txn.NoCache,
		txn.WithLogger(zap.New(core)), txn.WithSealer(keyring(t)))
	pay(t, db, "@alice:example.org", 1)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return take(tx, "@nobody:example.org") })
	wantErr(t, "an empty purse", err, errEmpty)
	_, err = payAgain(db)
	wantErr(t, "an outcome that stays unknown", err, kv.ErrUnknown)
	for part, level := range map[string]zapcore.Level{
		"runs again": zapcore.DebugLevel, "contention": zapcore.InfoLevel, "failure": zapcore.InfoLevel,
		"committing the identical": zapcore.WarnLevel, "was applied": zapcore.InfoLevel, "stays unknown": zapcore.ErrorLevel,
	} {
		found := logs.Filter(func(e observer.LoggedEntry) bool { return e.Level == level && strings.Contains(e.Message, part) })
		if found.Len() == 0 {
			t.Errorf("nothing at level %v about %q", level, part)
		}
	}
	enc := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for _, e := range logs.All() {
		b, err := enc.EncodeEntry(e.Entry, e.Context)
		if err != nil || strings.Contains(b.String(), "example.org") {
			t.Errorf("%v: %s", err, b)
		}
	}
}
