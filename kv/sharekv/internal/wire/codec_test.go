package wire

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/pawlkv/pawl/kv"
)

func examples() []*request {
	return []*request{
		{number: 1, op: opGet, on: 2, keys: []string{"a", "\xff\x00"}},
		{number: 1 << 60, op: opScan, on: 3, prefix: "p/"},
		{number: 3, op: opClose, on: 2},
		{number: 4, op: opCommit, batch: &kv.Batch{
			ID:     kv.CommitID{Began: 9, Random: [16]byte{1, 2, 3}},
			Reads:  []kv.Read{{Key: "r", Version: 4}, {Key: "absent"}},
			Scans:  []kv.ScanRead{{Prefix: "p", Entries: []kv.Read{{Key: "p1", Version: 1}}}, {Prefix: ""}},
			Writes: []kv.Write{{Key: "w", Value: []byte("value")}, {Key: "empty", Value: []byte{}}, {Key: "d", Delete: true}},
			Turn:   5, Sync: true,
		}},
		{number: 5, op: opCommit, batch: &kv.Batch{}},
		{number: 6, op: opTurn, keys: []string{"k"}},
		{number: 7, op: opRelease, on: 1},
		{number: 8, op: opWatch, prefix: "w", after: 77},
		{number: 9, op: opMore, on: 8},
		{number: 10, op: opCancel, on: 8},
		{number: 11, op: opPing},
		{number: 12, op: opFlatten},
	}
}

func frameOf(t testing.TB, r *request) []byte {
	t.Helper()
	frame, err := r.frame()
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestRequests: what is written is read again, and nothing that is cut off or
// longer is.
func TestRequests(t *testing.T) {
	for _, r := range examples() {
		payload, err := newFrames(bytes.NewReader(frameOf(t, r))).next()
		if err != nil {
			t.Fatal(err)
		}
		var plain any
		if err := msgpack.Unmarshal(payload, &plain); err != nil || len(plain.([]any)) != 2+r.args() {
			t.Errorf("request %d: %v, %v: not an array of %d", r.op, plain, err, 2+r.args())
		}
		got, err := parseRequest(payload)
		if err != nil {
			t.Fatalf("request %d: %v", r.op, err)
		}
		if diff := cmp.Diff(r, got, cmp.AllowUnexported(request{})); diff != "" {
			t.Errorf("request %d: %s", r.op, diff)
		}
		for n := range payload {
			if _, err := parseRequest(payload[:n]); !errors.Is(err, errFrame) {
				t.Errorf("request %d cut off after %d of %d bytes: %v", r.op, n, len(payload), err)
			}
		}
		if _, err := parseRequest(append(payload, 0)); !errors.Is(err, errFrame) {
			t.Errorf("request %d with a byte more: %v", r.op, err)
		}
	}
}

// FuzzRequest: what is read is written as the same request.
func FuzzRequest(f *testing.F) {
	for _, r := range examples() {
		f.Add(frameOf(f, r)[frameHeader:])
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := parseRequest(payload)
		if err != nil {
			return
		}
		again, err := parseRequest(frameOf(t, r)[frameHeader:])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again, cmp.AllowUnexported(request{})); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzAnswers: nothing that a server may send makes a client fall over.
func FuzzAnswers(f *testing.F) {
	welcome, _ := (&Welcome{Version: 1, Store: ID{1}, Term: 2, PID: 3}).frame()
	refused, _ := refusal(ErrVersion)
	hello, _ := (&Hello{Versions: Spoken, Client: ID{1}, PID: 3}).frame()
	page := answer(1, partial, 1)
	each(page, []kv.Change{{Key: "k", Version: 1, Head: 2}, {Resync: true}}, page.change)
	o := answer(1, failed, 4)
	o.error(&kv.ConflictError{Keys: []string{"k"}, Prefixes: []string{"p"}})
	for _, frame := range [][]byte{welcome, refused, hello, page.buf.Bytes(), o.buf.Bytes()} {
		f.Add(frame[frameHeader:])
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		_, _ = parseHello(payload)
		_, _ = parseWelcome(payload)
		for _, read := range []func(i *in){
			func(i *in) { i.uint(); i.uint(); _ = i.error() },
			func(i *in) { i.uint(); i.uint(); i.version(); all(i, func() kv.Entry { return i.entry("k") }) },
			func(i *in) { i.uint(); i.uint(); i.version(); all(i, i.scanned) },
			func(i *in) { i.uint(); i.uint(); all(i, i.change) },
		} {
			i := newIn(payload, 2)
			read(i)
			_ = i.end()
		}
	})
}

// TestFaults: an error is on this side what it was on the other.
func TestFaults(t *testing.T) {
	for _, want := range []error{
		kv.ErrUnknown, kv.ErrExpired, kv.ErrUndecided, kv.ErrUnavailable, kv.ErrTooLarge, kv.ErrInvalid,
		kv.ErrDiskFull, kv.ErrCorrupt, ErrVersion, &kv.ConflictError{Keys: []string{"k"}, Prefixes: []string{"p"}},
	} {
		sent := fmt.Errorf("%w: with a reason", want)
		o := newOut(4)
		o.error(sent)
		i := newIn(o.buf.Bytes()[frameHeader:], 4)
		got := i.error()
		if err := i.end(); err != nil {
			t.Fatal(err)
		}
		for _, k := range kinds {
			if errors.Is(got, k.is) != errors.Is(sent, k.is) {
				t.Errorf("%v arrives as %v: being %q is not the same", sent, got, k.is)
			}
		}
		var conflict *kv.ConflictError
		if errors.As(sent, &conflict) {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		} else if got.Error() != sent.Error() {
			t.Errorf("%q arrives as %q", sent, got)
		}
	}
}

// TestTooLarge: a batch that no frame holds is refused before it is sent.
func TestTooLarge(t *testing.T) {
	r := &request{op: opCommit, batch: &kv.Batch{Reads: make([]kv.Read, MaxFrame/kv.MaxKey+1)}}
	key := string(make([]byte, kv.MaxKey))
	for i := range r.batch.Reads {
		r.batch.Reads[i].Key = key
	}
	if _, err := r.frame(); !errors.Is(err, kv.ErrTooLarge) {
		t.Errorf("%v, want kv.ErrTooLarge", err)
	}
}
