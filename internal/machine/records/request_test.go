package records_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/records"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/record/recordtest"
)

var aRequest = records.Request{
	ID: records.RequestID{1, 2}, Kind: records.ToDeviceRequest, EventType: "m.room.encrypted", Once: true,
	Made: frame.Moment{Time: time.UnixMilli(5), Order: 7}, After: []records.RequestID{{3}, {4}},
	Handed: 2, Reopened: true, Holder: records.HolderID{9},
	Lease: records.Period{Since: time.UnixMilli(6), Until: time.UnixMilli(7)}, Failures: 3,
	Pause: records.Period{Since: time.UnixMilli(8), Until: time.UnixMilli(9)},
}

func TestRequestRecords(t *testing.T) {
	recordtest.Strict(t, aRequest, records.Requests.Codec.Decode)
	recordtest.Strict(t, records.Request{Kind: 77, Made: frame.Moment{Order: 1}}, records.Requests.Codec.Decode)
	recordtest.Strict(t, records.RequestBody{ID: records.RequestID{1}, Body: []byte("{}"), Data: []byte{1}}, records.RequestBodies.Codec.Decode)
}

func TestRequestRefusesContradictions(t *testing.T) {
	for name, change := range map[string]func(*records.Request){
		"no kind":               func(r *records.Request) { r.Kind = 0 },
		"no order":              func(r *records.Request) { r.Made.Order = 0 },
		"handed out to nobody":  func(r *records.Request) { r.Holder = records.HolderID{} },
		"held, not handed out":  func(r *records.Request) { r.Handed = 0 },
		"leased to nobody":      func(r *records.Request) { r.Handed, r.Holder, r.Reopened = 0, records.HolderID{}, false },
		"reopened, not out":     func(r *records.Request) { r.Handed, r.Holder, r.Lease = 0, records.HolderID{}, records.Period{} },
		"after too many others": func(r *records.Request) { r.After = make([]records.RequestID, records.MaxAfter+1) },
	} {
		r := aRequest
		change(&r)
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := records.Requests.Codec.Decode(b); !errors.Is(err, frame.ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	b, _ := aRequest.Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, records.Requests.Codec.Decode) })
}

func FuzzRequestBody(f *testing.F) {
	b, _ := records.RequestBody{Body: []byte("{}"), Data: []byte{1}}.Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, records.RequestBodies.Codec.Decode) })
}
