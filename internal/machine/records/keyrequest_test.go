package records_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
)

type encoder interface{ Encode() ([]byte, error) }

// keyRequestRecords are the records of requests for room keys, each with what reads it.
func keyRequestRecords() []struct {
	v      encoder
	decode func([]byte) (encoder, error)
} {
	at := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	to := device.Name{User: "@alice:example.org", Device: "PHONE"}
	return []struct {
		v      encoder
		decode func([]byte) (encoder, error)
	}{
		{records.KeyRequest{
			Session: group.SessionID{1}, Room: "!room:example.org", ID: records.KeyRequestID{2}, Asked: []matrix.DeviceID{"A", "B"},
			Sent: records.RequestID{3}, At: at,
		}, func(b []byte) (encoder, error) { return records.KeyRequests.Codec.Decode(b) }},
		{records.KeyAnswer{To: to, Request: "request", Room: "!room:example.org", Session: group.SessionID{1}, At: at},
			func(b []byte) (encoder, error) { return records.KeyAnswers.Codec.Decode(b) }},
		{records.KeyNotice{Slot: 7, Tag: [16]byte{1}, Sent: records.RequestID{2}, At: at},
			func(b []byte) (encoder, error) { return records.KeyNotices.Codec.Decode(b) }},
	}
}

// TestKeyRequestRecords: what is written is read, and nothing else is.
func TestKeyRequestRecords(t *testing.T) {
	for _, c := range keyRequestRecords() {
		raw, err := c.v.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.decode(raw)
		if diff := cmp.Diff(c.v, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		for n := range raw {
			if _, err := c.decode(raw[:n]); !errors.Is(err, record.ErrFormat) {
				t.Errorf("%T: the first %d bytes: %v", c.v, n, err)
			}
		}
		if _, err := c.decode(append(raw, 0)); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%T: a byte more: %v", c.v, err)
		}
	}
	whole := records.KeyRequest{Room: "!room:example.org", Asked: []matrix.DeviceID{"A"}}
	for what, change := range map[string]func(*records.KeyRequest){
		"no room":        func(r *records.KeyRequest) { r.Room = "" },
		"nobody":         func(r *records.KeyRequest) { r.Asked = nil },
		"somebody twice": func(r *records.KeyRequest) { r.Asked = []matrix.DeviceID{"A", "A"} },
		"too many":       func(r *records.KeyRequest) { r.Asked = make([]matrix.DeviceID, records.MaxKeyRequestDevices+1) },
	} {
		bad := whole
		if change(&bad); bad.Room == whole.Room && len(bad.Asked) == 1 {
			t.Fatal("nothing was changed")
		}
		if _, err := bad.Encode(); err == nil {
			t.Errorf("%s is written", what)
		}
	}
}

// FuzzKeyRequests: no bytes make a reader panic, and what is read can be written.
func FuzzKeyRequests(f *testing.F) {
	for _, c := range keyRequestRecords() {
		raw, err := c.v.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, c := range keyRequestRecords() {
			v, err := c.decode(raw)
			if err != nil {
				continue
			}
			again, err := v.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if same, err := c.decode(again); err != nil || !cmp.Equal(v, same) {
				t.Errorf("%x is written as %x, %v", raw, again, err)
			}
		}
	})
}
