package outbox_test

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/outbox"
)

// Who waits for the answer to a request that somebody else has is given it too, once.
func TestWhoWaitsIsGivenItToo(t *testing.T) {
	d := newDevice(t)
	query := outbox.New{Kind: outbox.Query, Body: []byte(`{}`)}
	once := outbox.New{Kind: outbox.Upload, Body: []byte(`{}`), Once: true}
	ids := d.add(message(1), query, once)
	frozen, two, three := d.box(), d.box(), d.box()
	d.wantOut(frozen, ids...)
	take := func(b *outbox.Outbox, want ...outbox.ID) {
		t.Helper()
		got, err := b.Take(t.Context(), ids...)
		d.must(err)
		if len(got) != len(want) {
			t.Fatalf("handed out are %v, want %v", idsOf(got), want)
		}
		for i, r := range got {
			if r.ID != want[i] {
				t.Errorf("handed out are %v, want %v", idsOf(got), want)
			}
		}
	}
	d.now = d.now.Add(outbox.Patience - time.Millisecond)
	take(two)
	d.wantOut(two)
	d.now = d.now.Add(time.Millisecond)
	take(frozen)           // it has them
	d.wantOut(two, ids[1]) // which any answer that is waited for may be
	take(three, ids[0])    // by whom the message is waited for
	d.now = d.now.Add(time.Minute / 4)
	take(two) // not again
	take(three)
	d.now = d.now.Add(outbox.LeaseLife)
	d.wantOut(two, ids[0], ids[1])
	d.must(frozen.MarkSent(t.Context(), ids[0], []byte(`{}`)))
	d.must(frozen.MarkSent(t.Context(), ids[1], []byte(`{}`)))
}
