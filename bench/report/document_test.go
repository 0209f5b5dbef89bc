package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/bench/result"
)

// TestWriteRead: what is read is what was written.
func TestWriteRead(t *testing.T) {
	var b bytes.Buffer
	want := madeUp()
	if err := Write(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestReadRefuses: a document that is not quite one, and why.
func TestReadRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, madeUp()); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for name, c := range map[string]struct{ text, why string }{
		"empty":         {"", "EOF"},
		"cut":           {good[:len(good)/2], "unexpected EOF"},
		"followed":      {good + "{}", "something follows the document"},
		"not JSON":      {"pawl", "invalid character"},
		"a list":        {"[]", "cannot unmarshal array"},
		"no format":     {"{}", "its format is 0, want 1"},
		"later format":  {`{"format": 2, "new": true}`, "its format is 2, want 1"},
		"unknown field": {strings.Replace(good, `"seed"`, `"sead"`, 1), `unknown field "sead"`},
		"fraction":      {strings.Replace(good, `"messages": 500`, `"messages": 0.5`, 1), "cannot unmarshal number 0.5"},
	} {
		_, err := Read(strings.NewReader(c.text))
		if !errors.Is(err, ErrDocument) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
}

// TestValidate: figures that contradict each other, and why.
func TestValidate(t *testing.T) {
	if err := Validate(madeUp()); err != nil {
		t.Fatal(err)
	}
	for why, spoil := range map[string]func(*result.Row){
		"workload or system is not named":                 func(r *result.Row) { r.System = "" },
		"figures of what is missing":                      func(r *result.Row) { r.Missing = "lost" },
		"no runs, and not said to be missing":             func(r *result.Row) { r.Runs = nil },
		"a run of 0 messages":                             func(r *result.Row) { r.Runs[2].Messages = 0 },
		"a run of 500 messages in 0s":                     func(r *result.Row) { r.Runs[2].Took = 0 },
		"less than nothing went wrong":                    func(r *result.Row) { r.Wrong.Lost = -1 },
		"percentiles 2ms, 1ms, 3ms are not in order":      func(r *result.Row) { r.Latency = result.Latency{P50: 2e6, P99: 1e6, P999: 3e6} },
		"2 counts of latencies, want 86":                  func(r *result.Row) { r.Latency.Counts = []int{1, 2} },
		"-1 calls":                                        func(r *result.Row) { r.Latency.Counts[3] = -1 },
		`part "think" is unknown or there twice`:          func(r *result.Row) { r.Split[0].Name = "think" },
		`part "open" is unknown or there twice`:           func(r *result.Row) { r.Split[0].Name = "open" },
		"read takes -1ns":                                 func(r *result.Row) { r.Split[0].Time = -1 },
		"the parts take no time":                          func(r *result.Row) { r.Split = []result.Part{{Name: "read"}} },
		"the parts take 1h0m0s of a message that takes 9": func(r *result.Row) { r.Split = []result.Part{{Name: "read", Time: time.Hour}} },
	} {
		r := copied(t, madeUp())
		spoil(&r.Rows[0])
		err := Validate(r)
		if !errors.Is(err, ErrDocument) || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %q", err, why)
		}
		if err := Write(new(bytes.Buffer), r); !errors.Is(err, ErrDocument) {
			t.Errorf("written although %q: %v", why, err)
		}
	}
}

// TestValidateTwice: the same row twice could not be compared with another's.
func TestValidateTwice(t *testing.T) {
	r := madeUp()
	r.Rows = append(r.Rows, r.Rows[0])
	err := Validate(r)
	const why = "report: not a result: decrypt (1 session, 1 message a commit), pawl, none, memory, everything: there twice"
	if err == nil || err.Error() != why {
		t.Errorf("%v, want %q", err, why)
	}
}

// copied shares nothing with r.
func copied(t *testing.T, r result.Result) result.Result {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var c result.Result
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}
