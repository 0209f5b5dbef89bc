package keys_test

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/otk"
)

// TestRetries: where a server has no keys, takes none, and says so with each sync,
// bodies are tried less and less often, and no key that is published goes for theirs.
func TestRetries(t *testing.T) {
	for name, f := range map[string]outbox.Failure{
		"refused": {Reason: outbox.Refused, Status: 400}, "gateway": {Reason: outbox.Refused, Status: 504}, "lost": {Reason: outbox.Unknown},
	} {
		for _, full := range []bool{false, true} {
			d := newDevice(t)
			d.settled()
			if full {
				d.fill()
			}
			for range records.UploadedKeys { // by peers who have not written yet
				d.server.claim()
			}
			bodies, published := 0, 0
			for range 6 * 60 {
				d.sync()
				for _, r := range d.out() {
					if bodies++; bodies == 1 {
						pool, _ := d.pool()
						published = pool.Count(otk.Published)
					}
					d.must(d.box.MarkFailed(d.ctx, r.ID, f))
				}
				d.pass(time.Minute)
			}
			pool, _ := d.pool()
			if n := pool.Count(otk.Published); n != published {
				t.Errorf("%s, full %v: of %d published keys %d are left after %d bodies", name, full, published, n, bodies)
			}
			if bodies < 8 || bodies > 20 {
				t.Errorf("%s, full %v: %d bodies in 6 hours", name, full, bodies)
			}
			d.pass(time.Hour)
			for range 3 {
				d.sync()
				d.settled()
			}
			if n := len(d.server.keys); n != records.UploadedKeys {
				t.Errorf("%s, full %v: the server has %d keys at last", name, full, n)
			}
			d.readable()
			d.sound()
		}
	}
}

// fill fills the pool with keys that are published.
func (d *device) fill() {
	d.Helper()
	for {
		pool, _ := d.pool()
		if pool.Len() == otk.MaxKeys {
			return
		}
		own, err := keys.Offer(d.ctx, d.account, min(keys.MaxUpload, otk.MaxKeys-pool.Len()))
		d.must(err)
		d.must(keys.MarkPublished(d.ctx, d.account, own))
	}
}
