package power

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// journal is an engine as simple as can be: a store in memory, and a file of what
// was decided, a line each.
type journal struct {
	kv.Store
	flaw string
	disk *Log
	size *int64 // of the file
}

const journalFile = "journal"

// What a journal can do wrong.
const (
	sound          = ""
	neverSyncs     = "it acknowledges what it has not synced"
	refusesInHaste = "a refusal is not synced"
	forgetsRefused = "which batch was refused is not written"
	skipsDamage    = "what comes after a line that is missing is read"
)

// Commit implements kv.Store.
func (j *journal) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	version, err := j.Store.Commit(ctx, b)
	refused := b.Again && errors.Is(err, kv.ErrConflict)
	if j.disk == nil || err != nil && !refused {
		return version, err
	}
	if refused && j.flaw == forgetsRefused { // what it writes takes a version and says nothing
		b = &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: "~"}}}
	}
	line, _ := json.Marshal(b)
	j.disk.Write(journalFile, *j.size, append(line, '\n'))
	*j.size += int64(len(line)) + 1
	if sync := b.Sync && j.flaw != neverSyncs || refused && j.flaw != refusesInHaste; sync {
		j.disk.Sync(journalFile)
	}
	return version, err
}

// replay makes the store again.
func (j *journal) replay(data []byte) error {
	for line := range bytes.Lines(data) {
		var b kv.Batch
		if j.flaw == skipsDamage {
			line = bytes.TrimLeft(line, "\x00")
		}
		if json.Unmarshal(line, &b) != nil {
			if j.flaw == skipsDamage {
				continue
			}
			break
		}
		if _, err := j.Store.Commit(context.Background(), &b); err != nil && !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
	return nil
}

// journalDisk is where a journal is.
type journalDisk struct {
	*Log
	flaw string
	size int64
}

// Open implements Disk.
func (d *journalDisk) Open() (kv.Store, error) {
	j := &journal{Store: memkv.New(), flaw: d.flaw, disk: d.Log, size: &d.size}
	now := newSurface(nil)
	for _, o := range d.Ops() {
		now.do(o)
	}
	now.do(Op{Kind: Sync, File: journalFile})
	return j, j.replay(now.safe[journalFile])
}

func testRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func journalKit(flaw string) Kit {
	return Kit{
		Disk: func(*testing.T) Disk { return &journalDisk{Log: new(Log), flaw: flaw} },
		Open: func(dir string) (kv.Store, error) {
			data, err := os.ReadFile(filepath.Join(dir, journalFile))
			if err != nil && !os.IsNotExist(err) {
				return nil, err
			}
			j := &journal{Store: memkv.New(), flaw: flaw}
			return j, j.replay(data)
		},
	}
}

// TestFail: an engine that keeps its word passes, and each that does not is found.
func TestFail(t *testing.T) {
	for flaw, want := range map[string]string{
		sound:          "",
		neverSyncs:     "was acknowledged",
		refusesInHaste: "was refused for good",
		forgetsRefused: "was refused for good",
		skipsDamage:    "is there, and",
	} {
		err := fail(t, journalKit(flaw), new(Commits), Effort{Random: 2, Seed: 1})
		if flaw == sound && err != nil {
			t.Errorf("a sound engine: %v", err)
		}
		if flaw != sound && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want an error about %q", flaw, err, want)
		}
	}
}

// TestLogImages: of what was not synced a power failure loses nothing, all, or
// some, and what was synced is there.
func TestLogImages(t *testing.T) {
	l := new(Log)
	l.Start(map[string][]byte{"old": []byte("before")})
	l.Acknowledge()
	l.Write("f", 0, []byte("abcd"))
	l.Sync("f")
	l.Write("f", 4, []byte("efgh"))
	l.Truncate("f", 6)
	l.Delete("old")
	seen := make(map[string]bool)
	last := ""
	for _, o := range l.Outages(testRand(), 40) {
		last = string(o.Image()["f"].Data)
		seen[last] = true
		if !strings.HasPrefix("abcdefgh", last) {
			t.Errorf("%s: %q", o.What, last)
		}
		if _, there := o.Image()["old"]; there != !strings.Contains(o.What, "operation 5") {
			t.Errorf("%s: the file that is deleted is there: %v", o.What, there)
		}
	}
	for _, want := range []string{"", "ab", "abcd", "abcdef", "abcdefgh"} {
		if !seen[want] {
			t.Errorf("%q is never left", want)
		}
	}
}
