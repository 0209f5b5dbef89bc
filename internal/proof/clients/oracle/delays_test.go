package oracle

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

func TestDelays(t *testing.T) {
	begin := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	sync := func(when int, ids ...string) hs.Exchange {
		events := ""
		for i, id := range ids {
			if i > 0 {
				events += ","
			}
			events += fmt.Sprintf(`{"event_id":%q}`, id)
		}
		return hs.Exchange{Began: at(when - 60), At: at(when), Endpoint: "sync", User: laptop.User, Device: laptop.ID,
			Answer: fmt.Appendf(nil, `{"rooms":{"join":{"!r":{"timeline":{"events":[%s]}}}}}`, events)}
	}
	l := Life{Exchanges: []hs.Exchange{
		sync(0, "$a", "$b"), sync(5, "$b", "$c"), {At: at(1), Endpoint: "sync", Answer: []byte("no JSON")},
		{At: at(1), Endpoint: "send", Answer: []byte(`{"event_id":"$d"}`)},
	}}
	told := map[matrix.EventID]time.Time{
		"$a": at(1),  // a second after anybody had it
		"$b": at(10), // of ten seconds four could not be used
		"$c": at(5),  // told before the answer was noted: nobody waited
		"$d": at(9),  // given to nobody
	}
	away := []Span{{at(2), at(4)}, {at(3), at(4)}, {at(8), at(20)}, {at(30), at(40)}}
	want := []Delay{
		{"$c", at(5), at(5), 0},
		{"$a", at(0), at(1), time.Second},
		{"$b", at(0), at(10), 6 * time.Second},
	}
	if got := Delays(l, told, away); !slices.Equal(got, want) {
		t.Errorf("the delays are %v, want %v", got, want)
	}
}
