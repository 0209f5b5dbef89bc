package outbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// TestBodyIsNotReadAgain: the handle that made a request has no need of its stored body to
// hand it out once, nor to apply the answer; another one has.
func TestBodyIsNotReadAgain(t *testing.T) {
	d := newDevice(t)
	own, other := boxOf(d.account), d.box()
	id := d.add(message(1))[0]
	d.harm(d.keysOf(id)[1], nil)
	if _, err := other.Outgoing(t.Context()); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("another handle: %v, want %v", err, kv.ErrCorrupt)
	}
	d.wantBody(d.wantOut(own, id)[0], 1)
	d.must(own.MarkSent(t.Context(), id, []byte(`{}`)))
	if err := own.MarkSent(t.Context(), id, []byte(`{}`)); !errors.Is(err, outbox.ErrNoRequest) {
		t.Errorf("the answer again: %v, want %v", err, outbox.ErrNoRequest)
	}
}

func (d *device) wantBody(r outbox.Request, n int) {
	d.Helper()
	if !bytes.Equal(r.Body, message(n).Body) {
		d.Errorf("the body is %q, want %q", r.Body, message(n).Body)
	}
}

// TestBodyIsTheCallersOwn: what a caller does with a body changes nothing of what is handed
// out later.
func TestBodyIsTheCallersOwn(t *testing.T) {
	d := newDevice(t)
	own := boxOf(d.account)
	id := d.add(message(1))[0]
	for range 3 {
		r := d.wantOut(own, id)[0]
		d.wantBody(r, 1)
		clear(r.Body)
		d.now = d.now.Add(outbox.LeaseLife)
	}
}

// TestManyBodies: of more requests than are remembered each has its own body.
func TestManyBodies(t *testing.T) {
	d := newDevice(t, memkv.WithLimits(kv.Floor()))
	own := boxOf(d.account)
	var ids []outbox.ID
	for i := range 80 {
		n := message(i)
		n.Body = fmt.Appendf(nil, `{"n":%d,"rest":"%s"}`, i, bytes.Repeat([]byte("."), 40<<10))
		ids = append(ids, d.add(n)...)
	}
	for i, r := range d.wantOut(own, ids...) {
		if !bytes.HasPrefix(r.Body, fmt.Appendf(nil, `{"n":%d,`, i)) || len(r.Body) < 40<<10 {
			t.Errorf("request %d has the body %.20q of %d bytes", i, r.Body, len(r.Body))
		}
		d.must(own.MarkSent(t.Context(), r.ID, []byte(`{}`)))
	}
}
