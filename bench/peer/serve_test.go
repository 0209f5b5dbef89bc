package peer

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/bench/result"
)

func TestServeRefuses(t *testing.T) {
	unused := func(context.Context, Task) (Outcome, error) { panic("must not run") }
	benches := []Bench{{Entry{ID: "a"}, unused}, {Entry: Entry{ID: "missing"}}}
	for _, args := range [][]string{
		nil,
		{"list", "more"},
		{"run"},
		{"run", "a"},
		{"run", "a", "-dir", "d"},
		{"run", "a", "-dir", "d", "-feed", "f", "-messages", "0"},
		{"run", "a", "-dir", "d", "-feed", "f", "-messages", "x"},
		{"run", "a", "-dir", "d", "-feed", "f", "-messages", "1", "more"},
		{"run", "b", "-dir", "d", "-feed", "f", "-messages", "1"},
		{"run", "missing", "-dir", "d", "-feed", "f", "-messages", "1"},
	} {
		var out bytes.Buffer
		if err := Serve(t.Context(), &out, args, nil, benches); !errors.Is(err, ErrUsage) || out.Len() > 0 {
			t.Errorf("%q: %v, printed %q", args, err, &out)
		}
	}
}

func TestCatalogIsChecked(t *testing.T) {
	for _, wrong := range []string{
		``,
		`{"protocol":1}{}`,
		`{"protocol":1,"entries":[{"id":"","messages":1,"row":{"workload":"w","system":"s"}}]}`,
		`{"protocol":1,"entries":[{"id":"a","messages":0,"row":{"workload":"w","system":"s"}}]}`,
		`{"protocol":1,"entries":[{"id":"a","messages":1,"row":{"workload":"w"}}]}`,
		`{"protocol":1,"entries":[{"id":"a","messages":1,"row":{"workload":"w","system":"s"}},{"id":"a","messages":1,"row":{"workload":"w","system":"s"}}]}`,
	} {
		if _, err := decodeCatalog([]byte(wrong)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if _, err := decodeOutcome([]byte(`{"run":{"messages":1,"took":0}}`)); !errors.Is(err, ErrProtocol) {
		t.Errorf("a run that took no time: %v", err)
	}
}

func TestMeterCounts(t *testing.T) {
	m := NewMeter(2)
	for range 2 {
		if err := m.Call(func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Call(func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("the call's error became %v", err)
	}
	o := m.Stop(4)
	if o.Run.Messages != 4 || o.Run.Took <= 0 || len(o.Calls) != 3 {
		t.Errorf("outcome %+v", o)
	}
	if o.Cost.Syncs != Unknown || o.Cost.Conflicts != Unknown || o.Cost.Retries != Unknown {
		t.Errorf("cost %+v is known", o.Cost)
	}
	if o.Wrong != (result.Wrong{}) {
		t.Errorf("wrong %+v", o.Wrong)
	}
}
