package pawl_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/proof/heap"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/roomkeyfile"
)

// exportTo writes the room keys of a device to a file.
func (d *device) exportTo(out io.Writer) int {
	d.t.Helper()
	w, err := roomkeyfile.NewWriter(out, rand.Reader, []byte("correct horse"))
	if err != nil {
		d.t.Fatal(err)
	}
	for key, err := range d.ExportRoomKeys(d.ctx, pawl.RoomKeyExport{}) {
		if err == nil {
			err = w.Add(key)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		d.t.Fatal(err)
	}
	return w.Count()
}

func unlocked(t testing.TB, file io.ReadSeeker) *roomkeyfile.Reader {
	t.Helper()
	r, err := roomkeyfile.NewReader(file)
	if err == nil {
		err = r.Unlock(context.Background(), []byte("correct horse"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRoomKeysInAndOut: what one device reads another reads after its room keys went
// through a file: the rooms in it, from where the first could read them, and no further.
func TestRoomKeysInAndOut(t *testing.T) {
	alice, bob := newDevice(t, newMemory(), "@alice:example.org"), newDevice(t, newMemory(), "@bob:example.org")
	s := newRoomSender(t)
	before := s.event("$0")
	keys := []pawl.RoomKey{s.exported()}
	for range crowd {
		keys = append(keys, newRoomSender(t).exported())
	}
	if _, err := alice.ImportRoomKeys(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if n := alice.exportTo(&file); n != len(keys) {
		t.Fatalf("%d of %d keys are exported", n, len(keys))
	}
	r := unlocked(t, bytes.NewReader(file.Bytes()))
	for _, want := range []struct {
		how  pawl.RoomKeyImport
		want pawl.RoomKeyCounts
	}{
		{pawl.RoomKeyImport{DryRun: true}, pawl.RoomKeyCounts{New: len(keys)}},
		{pawl.RoomKeyImport{Rooms: []matrix.RoomID{"!other:example.org"}}, pawl.RoomKeyCounts{}},
		{pawl.RoomKeyImport{}, pawl.RoomKeyCounts{New: len(keys)}},
		{pawl.RoomKeyImport{}, pawl.RoomKeyCounts{Same: len(keys)}},
	} {
		if got, err := bob.ImportRoomKeysFrom(t.Context(), r.Keys(), want.how); err != nil || got != want.want {
			t.Errorf("%+v: %+v, %v, want %+v", want.how, got, err, want.want)
		}
	}
	e := s.event("$1")
	if got, err := bob.DecryptRoomEvent(t.Context(), e); err != nil || string(got.Content) != `{"body":"$1"}` || got.Provenance != group.File {
		t.Errorf("%s of %s, %v", got.Content, got.Provenance, err)
	}
	if _, err := bob.DecryptRoomEvent(t.Context(), before); pawl.CodeOf(err) != "too_early" {
		t.Errorf("before the first known: %v", err)
	}
	var refused []pawl.RefusedRoomKey
	if _, err := bob.ForgetRoomKeys(t.Context(), pawl.Forgetting{Room: testRoom}); err != nil {
		t.Fatal(err)
	}
	got, err := bob.ImportRoomKeysFrom(t.Context(), r.Keys(), pawl.RoomKeyImport{Refused: func(k pawl.RefusedRoomKey) { refused = append(refused, k) }})
	if err != nil || got != (pawl.RoomKeyCounts{Refused: len(keys)}) || len(refused) != len(keys) || !errors.Is(refused[0].Err, group.ErrForgotten) {
		t.Errorf("what was forgotten: %+v, %v", got, err)
	}
	for _, err := range bob.ExportRoomKeys(t.Context(), pawl.RoomKeyExport{}) {
		t.Errorf("what was forgotten is exported, or %v", err)
	}
	alice.intact()
	bob.intact()
}

// wholeRoomKeys makes the test of memory take as much as the bounds speak of.
//
//	go test . -run TestRoomKeysHoldLittle -roomkeys.whole
var wholeRoomKeys = flag.Bool("roomkeys.whole", false, "a room key file of 30 MB, and 100,000 room keys")

// Bounds of what an import and an export hold.
const (
	mostImporting = 64 << 20
	mostExporting = 100 << 20
)

// TestRoomKeysHoldLittle: neither an import, nor a dry run of one, nor an export holds
// what is in the file. The store is on disk: one in memory would hold it.
func TestRoomKeysHoldLittle(t *testing.T) {
	n := 2000
	if *wholeRoomKeys {
		n = 100_000
	}
	dir := t.TempDir()
	engine, err := sqlitekv.Open(filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	alice := newDevice(t, engine, "@alice:example.org")
	file, err := os.Create(filepath.Join(dir, "keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := roomkeyfile.NewWriter(file, rand.Reader, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for w.Count() < n && size < 30<<20 {
		k := newRoomSender(t).exported()
		if err := w.Add(k); err != nil {
			t.Fatal(err)
		}
		size, _ = file.Seek(0, io.SeekCurrent)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	inFile := w.Count()
	for _, dry := range []bool{true, false} {
		held := holds(t, func(look func()) {
			done, err := alice.ImportRoomKeysFrom(t.Context(), looking(unlocked(t, file).Keys(), look), pawl.RoomKeyImport{DryRun: dry})
			if err != nil || done.New != inFile {
				t.Fatalf("%+v, %v", done, err)
			}
		})
		if held > mostImporting {
			t.Errorf("an import of %d keys holds %d bytes (dry run: %v)", inFile, held, dry)
		}
		t.Logf("%d keys in %d bytes, dry run %v: %d are held", inFile, size, dry, held)
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
	}
	for left := n - inFile; left > 0; left -= 1000 {
		var more []pawl.RoomKey
		for range min(left, 1000) {
			more = append(more, newRoomSender(t).exported())
		}
		if _, err := alice.ImportRoomKeys(t.Context(), more); err != nil {
			t.Fatal(err)
		}
	}
	held := holds(t, func(look func()) {
		exported := 0
		for _, err := range looking(alice.ExportRoomKeys(t.Context(), pawl.RoomKeyExport{}), look) {
			if err != nil {
				t.Fatal(err)
			}
			exported++
		}
		if exported != n {
			t.Errorf("%d of %d keys are exported", exported, n)
		}
	})
	if held > mostExporting {
		t.Errorf("an export of %d keys holds %d bytes", n, held)
	}
	t.Logf("an export of %d keys: %d bytes are held", n, held)
}

// holds is how much more is in use at most when call looks.
func holds(t *testing.T, call func(look func())) (peak uint64) {
	t.Helper()
	m := heap.Start()
	call(func() { m.Look() })
	return m.Peak()
}

// looking looks now and then while keys go by, and at the last of them.
func looking(keys iter.Seq2[pawl.RoomKey, error], look func()) iter.Seq2[pawl.RoomKey, error] {
	return func(yield func(pawl.RoomKey, error) bool) {
		n := 0
		for k, err := range keys {
			if n++; n%1999 == 0 {
				look()
			}
			if !yield(k, err) {
				return
			}
		}
		look()
	}
}

// TestRoomKey: the key of one session is as it was put, with whose it is, until it is
// forgotten.
func TestRoomKey(t *testing.T) {
	alice, bob := pair(t)
	s := newRoomSender(t)
	key := s.exported()
	key.Source.Provenance = group.Direct
	if _, err := alice.RoomKey(t.Context(), key.Key.ID()); !errors.Is(err, group.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
	if done, err := alice.ImportRoomKeys(t.Context(), []pawl.RoomKey{key}); err != nil || len(done.Refused) != 1 {
		t.Errorf("imported as direct: %+v, %v", done, err)
	}
	if done, err := alice.PutRoomKeys(t.Context(), []pawl.RoomKey{key}); err != nil || done.New != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	got, err := alice.RoomKey(t.Context(), key.Key.ID())
	if err != nil || got.Room != key.Room || got.Source != key.Source || got.Key.ID() != key.Key.ID() {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := bob.RoomKey(t.Context(), key.Key.ID()); !errors.Is(err, group.ErrNoKey) {
		t.Errorf("another account has it: %v", err)
	}
	if _, err := alice.ForgetRoomKeys(t.Context(), pawl.Forgetting{Session: key.Key.ID()}); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.RoomKey(t.Context(), key.Key.ID()); !errors.Is(err, group.ErrForgotten) {
		t.Errorf("forgotten: %v", err)
	}
}
