package wire

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// because is an error of a kind with a text that does not change.
type because struct{ is error }

func (because) Error() string   { return "why" }
func (b because) Unwrap() error { return b.is }

// TestVersion1 compares what is written in version 1 with what programs read
// that speak nothing newer.
func TestVersion1(t *testing.T) {
	want := goldenFrames(t)
	got := make(map[string]string)
	note := func(name string, frame []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		got[name] = hex.EncodeToString(frame)
	}
	names := []string{"get", "scan", "close", "commit", "commit-empty", "turn", "release", "watch", "more", "cancel", "ping", "flatten"}
	for i, r := range examples(1) {
		frame, err := r.frame(1)
		note(names[i], frame, err)
	}
	frame, err := (&Hello{Versions: Versions{1, 1}, Client: ID{1, 2}, PID: 300}).frame()
	note("hello", frame, err)
	frame, err = (&Welcome{Version: 1, Store: ID{3}, Term: 1 << 63, PID: 7}).frame()
	note("welcome", frame, err)
	frame, err = refusal(because{ErrVersion})
	note("refusal", frame, err)
	for name, o := range answers() {
		frame, err := o.frame()
		note(name, frame, err)
	}
	for name, frame := range want {
		if got[name] != frame {
			t.Errorf("%s is written as\n%s, want\n%s", name, got[name], frame)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d kinds of frames, want %d", len(got), len(want))
	}
}

// answers are one of each kind that a server of version 1 sends.
func answers() map[string]*out {
	entries := []kv.Entry{{Key: "k", Value: []byte("v"), Version: 300}, {Key: "absent"}, {Key: "empty", Value: []byte{}, Version: 1}}
	get, scan, watch := answer(11, answered, 2), answer(12, partial, 2), answer(13, partial, 1)
	get.version(301)
	each(get, entries, get.entry)
	scan.version(301)
	each(scan, entries[:1], scan.scanned)
	each(watch, []kv.Change{{Key: "k", Version: 1, Head: 2}, {Resync: true, Head: 3}}, watch.change)
	all := map[string]*out{"answer-get": get, "answer-scan": scan, "answer-watch": watch}
	failure := func(err error) *out {
		o := answer(9, failed, 4)
		o.error(err, 1)
		return o
	}
	all["error-0"] = failure(because{os.ErrClosed})
	for _, k := range kinds {
		if k.fault != faultRefused {
			all[fmt.Sprintf("error-%d", k.fault)] = failure(because{k.is})
		}
	}
	all["error-conflict"] = failure(because{&kv.ConflictError{Keys: []string{"k"}, Prefixes: []string{"p", ""}}})
	return all
}

func goldenFrames(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/version1.txt")
	if err != nil {
		t.Fatal(err)
	}
	frames := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		if name, frame, found := strings.Cut(strings.TrimSpace(line), " "); found && name != "#" {
			frames[name] = frame
		}
	}
	return frames
}
