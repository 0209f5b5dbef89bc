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

// examples are requests of every kind that a version has.
func examples(version uint64) []*request {
	return []*request{
		{number: 1, op: opGet, on: 2, keys: []string{"a", "\xff\x00"}},
		{number: 1 << 60, op: opScan, on: 3, prefix: "p/"},
		{number: 3, op: opClose, on: 2},
		{number: 4, op: opCommit, batch: &kv.Batch{
			ID:     kv.CommitID{Began: 9, Random: [16]byte{1, 2, 3}},
			Reads:  []kv.Read{{Key: "r", Version: 4}, {Key: "absent"}},
			Scans:  []kv.ScanRead{{Prefix: "p", Entries: []kv.Read{{Key: "p1", Version: 1}}}, {Prefix: ""}},
			Writes: []kv.Write{{Key: "w", Value: []byte("value")}, {Key: "empty", Value: []byte{}}, {Key: "d", Delete: true}},
			Turn:   5, Sync: true, Again: version >= versionAgain,
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

// eachVersion calls fn for every version that we speak.
func eachVersion(fn func(version uint64)) {
	for version := Spoken.Oldest; version <= Spoken.Newest; version++ {
		fn(version)
	}
}

func frameOf(t testing.TB, r *request, version uint64) []byte {
	t.Helper()
	frame, err := r.frame(version)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestRequests: what is written is read again, and nothing that is cut off or
// longer is.
func TestRequests(t *testing.T) {
	eachVersion(func(version uint64) {
		for _, r := range examples(version) {
			checkRequest(t, r, version)
		}
	})
}

func checkRequest(t *testing.T, r *request, version uint64) {
	payload, err := newFrames(bytes.NewReader(frameOf(t, r, version))).next()
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := msgpack.Unmarshal(payload, &plain); err != nil || len(plain.([]any)) != 2+r.args(version) {
		t.Errorf("request %d: %v, %v: not an array of %d", r.op, plain, err, 2+r.args(version))
	}
	got, err := parseRequest(payload, version)
	if err != nil {
		t.Fatalf("request %d: %v", r.op, err)
	}
	if diff := cmp.Diff(r, got, cmp.AllowUnexported(request{})); diff != "" {
		t.Errorf("request %d: %s", r.op, diff)
	}
	for n := range payload {
		if _, err := parseRequest(payload[:n], version); !errors.Is(err, errFrame) {
			t.Errorf("request %d cut off after %d of %d bytes: %v", r.op, n, len(payload), err)
		}
	}
	if _, err := parseRequest(append(payload, 0), version); !errors.Is(err, errFrame) {
		t.Errorf("request %d with a byte more: %v", r.op, err)
	}
}

// TestVersionsDiffer: a commit of one version is none of the other, so that
// nobody takes a batch for what it is not.
func TestVersionsDiffer(t *testing.T) {
	commit := examples(1)[3]
	for _, c := range []struct{ written, read uint64 }{{1, 2}, {2, 1}} {
		payload := frameOf(t, commit, c.written)[frameHeader:]
		if _, err := parseRequest(payload, c.read); !errors.Is(err, errFrame) {
			t.Errorf("a commit of version %d read as version %d: %v", c.written, c.read, err)
		}
	}
}

// TestRefusedInVersion1: what version 1 has no kind for is a conflict there.
func TestRefusedInVersion1(t *testing.T) {
	for version, want := range map[uint64]fault{1: faultConflict, 2: faultRefused} {
		if got := faultOf(fmt.Errorf("%w: long ago", kv.ErrRefused), version); got != want {
			t.Errorf("in version %d a refused ID is of kind %d, want %d", version, got, want)
		}
	}
}

// FuzzRequest: what is read is written as the same request.
func FuzzRequest(f *testing.F) {
	eachVersion(func(version uint64) {
		for _, r := range examples(version) {
			f.Add(frameOf(f, r, version)[frameHeader:], version)
		}
	})
	f.Fuzz(func(t *testing.T, payload []byte, version uint64) {
		r, err := parseRequest(payload, version)
		if err != nil {
			return
		}
		again, err := parseRequest(frameOf(t, r, version)[frameHeader:], version)
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
	o.error(&kv.ConflictError{Keys: []string{"k"}, Prefixes: []string{"p"}}, Spoken.Newest)
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
		kv.ErrUnknown, kv.ErrRefused, kv.ErrExpired, kv.ErrUndecided, kv.ErrUnavailable, kv.ErrTooLarge, kv.ErrInvalid,
		kv.ErrDiskFull, kv.ErrCorrupt, ErrVersion, &kv.ConflictError{Keys: []string{"k"}, Prefixes: []string{"p"}},
	} {
		sent := fmt.Errorf("%w: with a reason", want)
		o := newOut(4)
		o.error(sent, Spoken.Newest)
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
	if _, err := r.frame(Spoken.Newest); !errors.Is(err, kv.ErrTooLarge) {
		t.Errorf("%v, want kv.ErrTooLarge", err)
	}
}
