package rooms

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/record"
)

// TestCarried: what a request with a room key carries is read as it was written, and
// nothing else is taken for it.
func TestCarried(t *testing.T) {
	c := carried{Room: "!a:b", Session: group.SessionID{7}, To: []device.Name{{User: "@bob:b", Device: "B"}, {User: "@carol:b", Device: "C"}}}
	b := c.encode()
	got, err := decodeCarried(b)
	if diff := cmp.Diff(c, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for n := range b {
		if _, err := decodeCarried(b[:n]); !errors.Is(err, record.ErrFormat) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := decodeCarried(append(bytes.Clone(b), 0)); !errors.Is(err, record.ErrFormat) {
		t.Errorf("a byte more: %v", err)
	}
	for _, data := range [][]byte{nil, {}, {0}, []byte("s"), {carriedVersion}, b[:9]} {
		if _, ok := ours(outbox.Request{Data: data}); ok {
			t.Errorf("%x is taken for a room key's", data)
		}
	}
}

func FuzzDecodeCarried(f *testing.F) {
	f.Add(carried{Room: "!a:b", To: []device.Name{{User: "@bob:b", Device: "B"}}}.encode())
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := decodeCarried(in)
		if err != nil {
			if !errors.Is(err, record.ErrFormat) && !errors.Is(err, record.ErrVersion) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		again, err := decodeCarried(c.encode())
		if diff := cmp.Diff(c, again); err != nil || diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
	})
}
