package etcdkv

import (
	"errors"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pawlkv/pawl/kv"
)

// TestEpochs: of the IDs of many commits as many are kept as were promised, and no more
// than twice that; what is dropped is known by the version of the newest of it.
func TestEpochs(t *testing.T) {
	for _, keep := range []int{1, 2, 3, 64, 1000} {
		e, recorded := epoch{Number: 1, revision: 1}, map[uint64][]kv.Version{}
		version := kv.Version(1)
		for n := int64(0); n < int64(20*keep); n++ {
			version += 3 // others write too
			recorded[e.Number] = append(recorded[e.Number], version)
			if n-e.Start >= epochSize(keep) {
				e = e.next(n)
				e.revision = int64(version)
			}
			var newest kv.Version
			kept := 0
			for number, versions := range recorded {
				if slices.Contains(e.numbers(), number) {
					kept += len(versions)
				} else {
					newest = max(newest, slices.Max(versions))
				}
			}
			if e.Drop != newest {
				t.Fatalf("keep %d, after %d commits: dropped up to %d, want %d", keep, n+1, e.Drop, newest)
			}
			if newest > 0 && kept < keep || kept > 2*keep+keptEpochs {
				t.Fatalf("keep %d, after %d commits: %d are kept", keep, n+1, kept)
			}
		}
		if e.Drop == 0 {
			t.Errorf("keep %d: nothing was dropped", keep)
		}
	}
}

func TestDamagedMeta(t *testing.T) {
	for value, want := range map[string]error{
		``: kv.ErrCorrupt, `{}`: kv.ErrCorrupt, `{"pawl":"x","format":1,"commit_ids":1}`: kv.ErrCorrupt,
		`{"pawl":"etcdkv","format":1}`:                 kv.ErrCorrupt,
		`{"pawl":"etcdkv","format":2,"commit_ids":1}`:  kv.ErrNewer,
		`{"pawl":"etcdkv","format":1,"commit_ids":10}`: nil,
	} {
		if _, err := decodeMeta([]byte(value)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", value, err, want)
		}
	}
	for _, value := range []string{``, `{}`, `7`, `{"number":-1}`} {
		if _, err := decodeEpoch(&mvccpb.KeyValue{Value: []byte(value)}); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("epoch %q: %v, want %v", value, err, kv.ErrCorrupt)
		}
	}
	if keys, err := decodeHashes([]byte("123456789")); err == nil {
		t.Errorf("a cut turn has keys %v", keys)
	}
}
