package records_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/records"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/otk"
)

var someUploads = records.Uploads{
	Published: true, Look: records.Free, Looked: time.UnixMilli(4), Lookup: records.RequestID{1},
	Under: records.UploadUnderWay{Request: records.RequestID{2}, DeviceKeys: true, OneTimeKeys: []otk.ID{3, 9}, Fallback: 10},
	Ended: 5, Counted: true, Count: 6, Retry: 7, Used: 8, Most: 25, Refused: 1, Unsure: 2,
	Pause: records.Period{Since: time.UnixMilli(1), Until: time.UnixMilli(2)}, Reported: time.UnixMilli(3),
	Doubts: []records.Doubt{{Key: 4, Since: time.UnixMilli(5)}},
}

func TestUploadsRecord(t *testing.T) {
	recordtest.Strict(t, someUploads, records.UploadStates.Codec.Decode)
	recordtest.Strict(t, records.Uploads{}, records.UploadStates.Codec.Decode)
	for name, change := range map[string]func(*records.Uploads){
		"keys in no upload": func(u *records.Uploads) { u.Under.Request = records.RequestID{} },
		"keys out of order": func(u *records.Uploads) { u.Under.OneTimeKeys = []otk.ID{9, 3} },
		"too many keys":     func(u *records.Uploads) { u.Under.OneTimeKeys = make([]otk.ID, 51) },
		"count of nobody":   func(u *records.Uploads) { u.Counted = false },
		"count of too many": func(u *records.Uploads) { u.Count = records.MaxCount + 1 },
		"doubt of no key":   func(u *records.Uploads) { u.Doubts = []records.Doubt{{Since: time.UnixMilli(1)}} },
	} {
		u := someUploads
		change(&u)
		b, err := u.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := records.UploadStates.Codec.Decode(b); !errors.Is(err, frame.ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

// TestDoubtsAreBounded: the oldest go, and those that are over; and none lasts longer
// because a clock ran ahead.
func TestDoubtsAreBounded(t *testing.T) {
	now := time.UnixMilli(1 << 40).UTC()
	var u records.Uploads
	for i := range 40 {
		u = u.Doubt(otk.ID(i+1), now.Add(time.Duration(i)*time.Minute))
	}
	now = now.Add(40 * time.Minute)
	if got := u.Doubted(now); len(got) != 16 || got[0] != 25 {
		t.Errorf("%v are in doubt", got)
	}
	if got := u.Doubted(now.Add(records.DoubtLife - 10*time.Minute)); !slices.Equal(got, []otk.ID{32, 33, 34, 35, 36, 37, 38, 39, 40}) {
		t.Errorf("%v are in doubt a day later", got)
	}
	u = u.Doubt(7, now.AddDate(-1, 0, 0))
	if got := u.Doubted(now.AddDate(-1, 0, 2)); len(got) > 0 {
		t.Errorf("%v are in doubt, two days after the clock was put right", got)
	}
}

func FuzzUploads(f *testing.F) {
	b, _ := someUploads.Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, records.UploadStates.Codec.Decode) })
}
