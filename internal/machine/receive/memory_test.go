package receive

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/proof/heap"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// whole makes tests of memory take as much as the bounds speak of.
//
//	go test ./internal/machine/receive -run Holds -whole
var whole = flag.Bool("whole", false, "10,000 events, and a response of 100 MB")

// most is what a response may add.
const most = 64 << 20

// many are so many encrypted events of one device, made without a store.
func many(t testing.TB, to *phone, n int, kind string) [][]byte {
	t.Helper()
	bob := newPeer(t, "@bob:example.org", "LAPTOP")
	var pairs [3]ratchet.KeyPair
	for i := range pairs {
		pair, err := ratchet.GenerateKeyPair(rand.Reader)
		must(t, err)
		pairs[i] = pair
	}
	ours, err := ratchet.NewOutbound(rand.Reader, pairs[0], pairs[1].Public(), pairs[2].Public())
	must(t, err)
	ours, first, err := ours.Encrypt(rand.Reader, []byte("first"))
	must(t, err)
	opening, err := ratchet.ParsePreKeyMessage(first.Body)
	must(t, err)
	theirs, err := ratchet.NewInbound(pairs[1], pairs[2], opening)
	must(t, err)
	theirs, _, err = theirs.Decrypt(opening.Normal)
	must(t, err)
	must(t, to.account.Do(context.Background(), func(tx *txn.Tx) error {
		s := session.New(ours, bob.value.Identity(), session.Outbound, session.Moment{Time: time.Now(), Order: 1})
		p, err := session.NewPeer(bob.value.Identity()).Add(s.ID())
		if err != nil {
			return err
		}
		if err := records.Peers.Put(tx, p.Rated(session.Acquainted)); err != nil {
			return err
		}
		return records.Sessions.Put(tx, s)
	}))
	events := make([][]byte, n)
	for i := range events {
		said := bob.said(to, kind, map[string]any{"room_id": "!r:example.org", "session_id": fmt.Sprint(i % 100), "session_key": fmt.Sprintf("%0300d", i)})
		var m ratchet.Message
		theirs, m, err = theirs.Encrypt(rand.Reader, encode(t, said))
		must(t, err)
		events[i] = encode(t, map[string]any{"type": "m.room.encrypted", "sender": "@bob:example.org", "content": map[string]any{
			"algorithm": account.Olm, "sender_key": bob.value.Identity().String(),
			"ciphertext": map[string]any{to.id.Curve25519.String(): map[string]any{"type": m.Type, "body": unpadded.Encode(m.Body)}},
		}})
	}
	return events
}

// held is how much more is in use when commits are made than at the beginning, at
// most, and when it is over.
func held(t testing.TB, alice *phone, body []byte) (during, after uint64, out Received) {
	t.Helper()
	commits := 0
	var m *heap.Meter
	store := faulty.Wrap(alice.kv, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit && len(call.Batch.Writes) > 0 {
			if commits++; commits%4 == 1 {
				m.Look()
			}
		}
		return nil
	}})
	process := alice.on(store)
	m = heap.Start()
	out, err := process.Sync(context.Background(), process.ticket(), body)
	must(t, err)
	during, after = m.Peak(), m.Look()
	runtime.KeepAlive(body)
	return during, after, out
}

// TestEventsHoldLittle: many events in one response add little, whether they are
// Pawl's or the caller's.
func TestEventsHoldLittle(t *testing.T) {
	n := 400
	if *whole {
		n = 10_000
	}
	for _, kind := range []string{"m.room_key", "m.custom"} {
		alice := newPhone(t, memkv.New())
		events := many(t, alice, n, kind)
		body := slices.Concat([]byte(`{"next_batch":"T1","to_device":{"events":[`), bytes.Join(events, []byte(",")), []byte(`]}}`))
		events = nil
		during, after, out := held(t, alice, body)
		got := len(out.Events)
		if kind == "m.room_key" {
			got = alice.effect("m.room_key 7") * 100
		}
		if got != n || len(out.Refused) > 0 || !out.Advanced {
			t.Fatalf("%s: %d of %d events, %d refused: %+v", kind, got, n, len(out.Refused), out.Refused[:min(len(out.Refused), 1)])
		}
		// A store in memory holds what was committed, too: a receipt of some 400 bytes.
		if during > most || after > most {
			t.Errorf("%s: %d bytes are held, %d afterwards", kind, during, after)
		}
		t.Logf("%d of %s in %d bytes: %d are held, %d afterwards", n, kind, len(body), during, after)
	}
}

// TestLargeResponseHoldsLittle: what else is in a response adds nothing.
func TestLargeResponseHoldsLittle(t *testing.T) {
	size := 4 << 20
	if *whole {
		size = 100 << 20
	}
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	var b bytes.Buffer
	b.WriteString(`{"rooms":{"join":{`)
	message := encode(t, map[string]any{"type": "m.room.message", "sender": "@bob:example.org", "event_id": "$1", "content": map[string]any{"body": fmt.Sprintf("%0500d", 1)}})
	for room := 0; b.Len() < size; room++ {
		if room > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"!%d:example.org":{"timeline":{"limited":false,"events":[`, room)
		for i := range 2000 {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(message)
		}
		b.WriteString(`]}}`)
	}
	b.WriteString(`}},"to_device":{"events":[`)
	for i, e := range []any{
		plain("@bob:example.org", "m.large", map[string]any{"n": strings.Repeat("x", MaxEvent)}),
		bob.roomKey(alice, "one"),
		plain("@bob:example.org", "m.fits", map[string]any{"n": strings.Repeat("x", MaxEvent-100)}),
	} {
		if i > 0 {
			b.WriteByte(',')
		}
		must(t, json.NewEncoder(&b).Encode(e))
	}
	b.WriteString(`]},"next_batch":"T1"}`)
	body := b.Bytes()
	during, after, out := held(t, alice, body)
	if !out.Advanced || len(out.Refused) != 1 || len(out.Events) != 1 || alice.effect("m.room_key one") != 1 {
		t.Fatalf("%d refused, %d events, advanced %t", len(out.Refused), len(out.Events), out.Advanced)
	}
	if during > 8<<20 || after > 1<<20 {
		t.Errorf("%d bytes are held, %d afterwards", during, after)
	}
	t.Logf("%d bytes: %d are held, %d afterwards", len(body), during, after)
}
