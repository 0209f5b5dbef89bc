package keys_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

var (
	random io.Reader = rand.Reader
	noon             = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
)

// device is an account on a store, with a server and a clock that tests move.
type device struct {
	testing.TB
	ctx     context.Context
	kv      kv.Store
	account *machine.Account
	box     *outbox.Outbox
	server  *server
	clock   *time.Time
	log     *lines
}

// lines are what the log says.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(of string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), of)
}

func newDevice(t testing.TB, options ...memkv.Option) *device {
	t.Helper()
	now := noon
	d := &device{TB: t, ctx: context.Background(), kv: memkv.New(options...), server: newServer(), clock: &now, log: &lines{}}
	s, err := machine.Open(d.ctx, d.kv, seal.RawKey([32]byte{1}), d.tools())
	d.must(err)
	d.account, err = s.Create(d.ctx, machine.AccountName{User: "@alice:example.org", Device: "DEVICE"})
	d.must(err)
	d.box = boxOf(d.account)
	return d
}

func (d *device) tools() machine.Tools {
	log := slog.New(slog.NewTextHandler(d.log, nil))
	return machine.Tools{Now: func() time.Time { return *d.clock }, Rand: random, Log: log}
}

// another returns the same device as another process has it.
func (d *device) another() *device {
	d.Helper()
	s, err := machine.Open(d.ctx, d.kv, seal.RawKey([32]byte{1}), d.tools())
	d.must(err)
	other := *d
	other.account = s.Account(machine.AccountName{User: "@alice:example.org", Device: "DEVICE"})
	other.box = boxOf(other.account)
	return &other
}

func boxOf(a *machine.Account) *outbox.Outbox {
	u := keys.NewUploads(a)
	return outbox.NewOutbox(a, u.Gate, map[outbox.Kind]outbox.Handler{
		outbox.Upload: u, outbox.Lookup: u, outbox.ToDevice: outbox.Plain{Account: a},
	})
}

func (d *device) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *device) pass(t time.Duration) { *d.clock = d.clock.Add(t) }

// out returns the requests that are handed out.
func (d *device) out() []outbox.Request {
	d.Helper()
	all, err := d.box.Outgoing(d.ctx)
	d.must(err)
	return all
}

// one wants one request of a kind to be handed out.
func (d *device) one(kind outbox.Kind) outbox.Request {
	d.Helper()
	all := d.out()
	if len(all) != 1 || all[0].Kind != kind {
		d.Fatalf("%d requests are handed out, want a %v: %v", len(all), kind, all)
	}
	return all[0]
}

// none wants none to be.
func (d *device) none() {
	d.Helper()
	if all := d.out(); len(all) > 0 {
		d.Fatalf("a %v is handed out: %s", all[0].Kind, all[0].Body)
	}
}

// send gives a request to the server, and its answer back.
func (d *device) send(r outbox.Request) int {
	d.Helper()
	status, response := d.server.answer(d, r)
	if status == 200 {
		d.must(d.box.MarkSent(d.ctx, r.ID, response))
	} else {
		d.must(d.box.MarkFailed(d.ctx, r.ID, outbox.Failure{Reason: outbox.Refused, Status: status, Body: response}))
	}
	return status
}

func (d *device) fail(r outbox.Request, reason outbox.Reason) {
	d.Helper()
	d.must(d.box.MarkFailed(d.ctx, r.ID, outbox.Failure{Reason: reason}))
}

func (d *device) refuse(r outbox.Request, status int, body string) {
	d.Helper()
	d.must(d.box.MarkFailed(d.ctx, r.ID, outbox.Failure{Reason: outbox.Refused, Status: status, Body: []byte(body)}))
}

// looked goes through the look at the own device.
func (d *device) looked() { d.Helper(); d.send(d.one(outbox.Lookup)) }

// settled goes through everything that is due.
func (d *device) settled() {
	d.Helper()
	for range 20 {
		all := d.out()
		if len(all) == 0 {
			return
		}
		for _, r := range all {
			d.send(r)
		}
	}
	d.Fatal("there is always another request")
}

// began is when a sync begins.
func (d *device) began() keys.Mark {
	d.Helper()
	m, err := txn.View(d.ctx, d.account.DB, keys.Began)
	d.must(err)
	return m
}

// saw applies what a sync says of the server as it is now.
func (d *device) saw(since keys.Mark) {
	d.Helper()
	count := len(d.server.keys)
	d.sawThat(since, &count, d.server.unused())
}

func (d *device) sawThat(since keys.Mark, count *int, unused []string) {
	d.Helper()
	d.must(d.account.Do(d.ctx, func(tx *txn.Tx) error {
		v, err := d.account.Active(tx)
		if err != nil {
			return err
		}
		return keys.SawCounts(tx, d.account, v, since, count, unused)
	}))
}

func (d *device) sync() { d.Helper(); d.saw(d.began()) }

// pool returns the pool, and how uploads stand.
func (d *device) pool() (pool otk.Pool, u records.Uploads) {
	d.Helper()
	d.must(d.account.Do(d.ctx, func(tx *txn.Tx) (err error) {
		if pool, err = records.ReadPool(tx); err == nil {
			u, err = records.ReadUploads(tx, pool)
		}
		return err
	}))
	return pool, u
}

// sound wants check to find nothing.
func (d *device) sound() {
	d.Helper()
	if found, err := upkeep.Check(d.ctx, d.account, records.Kinds()); len(found) > 0 || err != nil {
		d.Fatalf("check finds %v, %v", found, err)
	}
}

func (d *device) sweep() {
	d.Helper()
	_, err := upkeep.Sweep(d.ctx, d.account, records.Kinds(), *d.clock)
	d.must(err)
}
