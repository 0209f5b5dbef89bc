package keys_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

func (d *device) harm(key string, value []byte) {
	d.Helper()
	w := kv.Write{Key: key, Value: value, Delete: value == nil}
	if _, err := d.kv.Commit(d.ctx, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{w}}); err != nil {
		d.Fatal(err)
	}
}

func (d *device) repair() {
	d.Helper()
	check := func(ctx context.Context) ([]records.Finding, error) {
		return upkeep.Check(ctx, d.account, records.Kinds())
	}
	if found, err := upkeep.Repair(d.ctx, d.account, check); len(found) == 0 || err != nil {
		d.Errorf("repair finds %v, %v", found, err)
	}
	d.sound()
}

// TestDamagedUploads: where it cannot be read how uploads stand, none is made; messages
// leave all the same, syncs are taken in, what an embedder's own upload became is
// noted, and repair begins anew.
func TestDamagedUploads(t *testing.T) {
	for name, value := range map[string][]byte{"changed": []byte("damaged"), "emptied": {}, "missing": nil} {
		d := newDevice(t)
		d.settled()
		own, err := keys.Offer(d.ctx, d.account, 3)
		d.must(err)
		for range 60 {
			d.server.claim()
		}
		before := d.began()
		d.sync()
		r := d.one(outbox.Upload)
		var key string
		d.must(d.account.Do(d.ctx, func(tx *txn.Tx) (err error) { key, err = records.UploadStates.Key(tx); return err }))
		d.harm(key, value)
		message := d.message()
		all, err := d.box.Outgoing(d.ctx)
		if len(all) != 1 || all[0].ID != message || errors.Is(err, kv.ErrCorrupt) == (value == nil) {
			t.Errorf("%s: %d requests, %v", name, len(all), err)
		}
		if value != nil {
			if err := d.box.MarkSent(d.ctx, r.ID, d.server.counts()); !errors.Is(err, kv.ErrCorrupt) {
				t.Errorf("%s: %v for the answer", name, err)
			}
		}
		d.saw(before)
		d.sync()
		d.must(keys.MarkPublished(d.ctx, d.account, own))
		if value != nil {
			d.repair()
		}
		d.sync()
		if fresh := d.one(outbox.Upload); fresh.ID == r.ID || len(parseUpload(t, fresh.Body).OneTime) != 50 {
			t.Errorf("%s: no fresh upload", name)
		} else {
			d.send(fresh)
		}
		d.sweep()
		d.must(d.account.Do(d.ctx, func(tx *txn.Tx) error {
			if _, there, err := outbox.Find(tx, r.ID); there || err != nil {
				t.Errorf("%s: the upload from before is still there, %v", name, err)
			}
			return nil
		}))
		d.readable()
		d.sound()
	}
}

// TestDamagedRequest: an upload whose request is damaged is given up, and the next one
// is made.
func TestDamagedRequest(t *testing.T) {
	for name, value := range map[string][]byte{"changed": []byte("damaged"), "missing": nil} {
		for _, repairFirst := range []bool{false, true} {
			d := newDevice(t)
			d.looked()
			r := d.one(outbox.Upload)
			var request, body string
			d.must(d.account.Do(d.ctx, func(tx *txn.Tx) (err error) {
				if request, err = records.Requests.Key(tx, r.ID); err == nil {
					body, err = records.RequestBodies.Key(tx, r.ID)
				}
				return err
			}))
			d.harm(request, value)
			if repairFirst {
				d.repair()
			}
			all, err := d.box.Outgoing(d.ctx)
			if len(all) != 1 || all[0].ID == r.ID || len(parseUpload(t, all[0].Body).OneTime) != 50 || err != nil && !errors.Is(err, kv.ErrCorrupt) {
				t.Errorf("%s: %d requests, %v", name, len(all), err)
				continue
			}
			d.send(all[0])
			if !repairFirst {
				d.repair()
			}
			d.harm(body, []byte("left"))
			d.repair()
			d.none()
		}
	}
}

// TestDamagedKeys: what cannot be read is in no body, and a fallback key that cannot be
// read is replaced.
func TestDamagedKeys(t *testing.T) {
	d := newDevice(t)
	d.settled()
	var key string
	d.must(d.account.Do(d.ctx, func(tx *txn.Tx) (err error) {
		key, err = records.Keys.Key(tx, d.server.fallback)
		return err
	}))
	d.harm(key, []byte("damaged"))
	d.server.claim()
	d.sync()
	before := d.server.fallback
	d.settled()
	if d.server.fallback == before || d.server.fallback == (ratchet.PublicKey{}) {
		t.Error("the fallback key that cannot be read is not replaced")
	}
	d.repair()
	d.readable()
}
