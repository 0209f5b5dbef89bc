package devices_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

const (
	alice = matrix.UserID("@alice:example.org") // the own user
	bob   = matrix.UserID("@bob:example.org")
	carol = matrix.UserID("@carol:elsewhere.org")
	dave  = matrix.UserID("@dave:elsewhere.org")
)

// clock is everybody's.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) now() time.Time           { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *clock) add(d time.Duration)      { c.ms.Add(d.Milliseconds()) }
func (w *world) later(d time.Duration)    { w.clock.add(d) }
func (w *world) context() context.Context { return w.t.Context() }

// brittle is an engine of which a process is killed at a commit: the commits before
// are applied.
type brittle struct {
	kv.Store
	left   int  // commits until then; negative: it goes on
	narrow bool // its commits take very little
}

// Limits implements kv.Store.
func (b *brittle) Limits() kv.Limits {
	most := b.Store.Limits()
	if b.narrow {
		most.Writes, most.Checks = 9, 14
	}
	return most
}

// Commit implements kv.Store.
func (b *brittle) Commit(ctx context.Context, batch *kv.Batch) (kv.Version, error) {
	if b.left == 0 && len(batch.Writes) > 0 {
		return 0, kv.ErrClosed
	}
	if len(batch.Writes) > 0 {
		b.left--
	}
	return b.Store.Commit(ctx, batch)
}

// world is one account in a store, as several processes see it.
type world struct {
	t      *testing.T
	clock  *clock
	engine kv.Store
	own    account.Account
	first  *process
}

// process has a handle of its own.
type process struct {
	*world
	engine  *brittle
	account *machine.Account
	queries *devices.Queries
	box     *outbox.Outbox
	settled []matrix.UserID
}

func newWorld(t *testing.T, limits kv.Limits) *world {
	return newWorldOn(t, memkv.New(memkv.WithLimits(limits)))
}

func newWorldOn(t *testing.T, engine kv.Store) *world {
	w := &world{t: t, clock: newClock(), engine: engine}
	first := w.open()
	_, err := first.account.Store.Create(t.Context(), first.account.Name)
	w.must(err)
	w.own, err = txn.View(t.Context(), first.account.DB, first.account.Read)
	w.must(err)
	w.first = first
	first.answers(w.server()) // the own user is followed always
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// open begins a process.
func (w *world) open() *process {
	w.t.Helper()
	p := &process{world: w, engine: &brittle{Store: w.engine, left: -1}}
	tools := machine.Tools{Now: w.clock.now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(w.context(), p.engine, seal.RawKey([32]byte{1}), tools)
	w.must(err)
	p.account = s.Account(machine.AccountName{User: alice, Device: "OWN"})
	p.queries = devices.New(p.account, func(_ context.Context, users []matrix.UserID) error {
		p.settled = append(p.settled, users...)
		return nil
	})
	p.box = outbox.NewOutbox(p.account, nil, map[outbox.Kind]outbox.Handler{outbox.Query: p.queries})
	return p
}

// do runs a transaction that must succeed.
func (p *process) do(fn func(tx *txn.Tx, v account.Account) error) {
	p.t.Helper()
	p.must(p.account.Do(p.context(), func(tx *txn.Tx) error {
		v, err := p.account.Active(tx)
		if err != nil {
			return err
		}
		return fn(tx, v)
	}))
}

func (p *process) track(users ...matrix.UserID) {
	p.t.Helper()
	for _, u := range users {
		p.do(func(tx *txn.Tx, _ account.Account) error { return devices.Track(tx, u) })
	}
}

func (p *process) outdate(users ...matrix.UserID) {
	p.t.Helper()
	p.do(func(tx *txn.Tx, _ account.Account) error { return devices.MarkOutdated(tx, users...) })
}

func (p *process) allOutdated() {
	p.t.Helper()
	p.do(func(tx *txn.Tx, v account.Account) error { return devices.AllOutdated(tx, p.account, v) })
}

func (p *process) leave(users ...matrix.UserID) {
	p.t.Helper()
	p.do(func(tx *txn.Tx, _ account.Account) error { return devices.Left(tx, p.account, users...) })
}

func (p *process) state(user matrix.UserID) devices.State {
	p.t.Helper()
	states, err := txn.View(p.context(), p.account.DB, func(tx *txn.Tx) ([]devices.State, error) {
		v, err := p.account.Read(tx)
		if err != nil {
			return nil, err
		}
		return devices.StatesOf(tx, p.account, v, user)
	})
	p.must(err)
	return states[0]
}

func (p *process) show(user matrix.UserID) devices.Shown {
	p.t.Helper()
	s, err := devices.Show(p.context(), p.account, user)
	p.must(err)
	return s
}

// live are the ids of a user's devices that may be written to, with what is known of
// who is behind them.
func (p *process) live(user matrix.UserID) map[matrix.DeviceID]device.Trust {
	p.t.Helper()
	all := map[matrix.DeviceID]device.Trust{}
	for _, d := range p.show(user).Devices {
		if d.Usable() {
			all[d.Device.Device] = d.Trust
		}
	}
	return all
}

func (p *process) outgoing() []outbox.Request {
	p.t.Helper()
	all, err := p.box.Outgoing(p.context())
	if !machine.IsDamage(err) {
		p.must(err)
	}
	return all
}

// asks are the users whom a request asks for.
func (w *world) asks(r outbox.Request) (users []matrix.UserID) {
	w.t.Helper()
	var body struct {
		Devices map[matrix.UserID][]string `json:"device_keys"`
	}
	w.must(json.Unmarshal(r.Body, &body))
	for u, ids := range body.Devices {
		if ids == nil || len(ids) > 0 {
			w.t.Fatalf("the body asks for devices %v: %s", ids, r.Body)
		}
		users = append(users, u)
	}
	slices.Sort(users)
	return users
}

// answers lets all that is outgoing be answered by the server, and returns how many
// requests that were.
func (p *process) answers(s *server) int {
	p.t.Helper()
	n := 0
	for {
		all := p.outgoing()
		if len(all) == 0 {
			return n
		}
		for _, r := range all {
			p.must(p.box.MarkSent(p.context(), r.ID, s.answer(p.asks(r)...)))
			n++
		}
	}
}

type object = map[string]any

// server is what a homeserver knows.
type server struct {
	w      *world
	people map[matrix.UserID]*person
	down   map[matrix.UserID]bool // of whom it says nothing
}

// person is a user with devices and cross-signing keys.
type person struct {
	w                         *world
	user                      matrix.UserID
	devices                   map[matrix.DeviceID]object
	master, self, userSigning account.SigningKey
	crossSigned               bool
	masterObject              object
}

func (w *world) server() *server {
	return &server{w, map[matrix.UserID]*person{}, map[matrix.UserID]bool{}}
}

func (s *server) person(user matrix.UserID) *person {
	p := s.people[user]
	if p == nil {
		p = &person{w: s.w, user: user, devices: map[matrix.DeviceID]object{}}
		s.people[user] = p
	}
	return p
}

func (w *world) parsed(raw []byte) (o object) {
	w.t.Helper()
	w.must(json.Unmarshal(raw, &o))
	return o
}

// device gives the person a new device.
func (p *person) device(id matrix.DeviceID) account.Account {
	p.w.t.Helper()
	a, err := account.New(rand.Reader, p.user, id, p.w.clock.now())
	p.w.must(err)
	p.take(a)
	return a
}

// take gives the person a device, signed by the self-signing key if there is one.
func (p *person) take(a account.Account) {
	p.w.t.Helper()
	raw, err := a.DeviceKeys()
	p.w.must(err)
	o := p.w.parsed(raw)
	if p.crossSigned {
		o = p.w.sign(o, p.user, p.self)
	}
	p.devices[a.Device()] = o
}

// crossSign gives the person new cross-signing keys, which sign all devices that
// come.
func (p *person) crossSign() {
	p.w.t.Helper()
	for _, k := range []*account.SigningKey{&p.master, &p.self, &p.userSigning} {
		var err error
		*k, err = account.GenerateSigningKey(rand.Reader)
		p.w.must(err)
	}
	p.crossSigned = true
	p.masterObject = keyObject(p.user, "master", p.master)
}

func keyObject(user matrix.UserID, usage string, k account.SigningKey) object {
	public := k.Public().String()
	return object{"user_id": string(user), "usage": []any{usage}, "keys": object{"ed25519:" + public: public}}
}

// sign adds a key's signature to an object.
func (w *world) sign(o object, user matrix.UserID, key account.SigningKey) object {
	w.t.Helper()
	return w.signAs(o, user, key.Public().String(), key.Sign)
}

func (w *world) signAs(o object, user matrix.UserID, name string, sign func([]byte) account.Signature) object {
	w.t.Helper()
	raw, err := json.Marshal(o)
	w.must(err)
	out := w.parsed(raw)
	signatures, _ := out["signatures"].(object)
	delete(out, "signatures")
	delete(out, "unsigned")
	raw, err = json.Marshal(out)
	w.must(err)
	canonical, err := canonicaljson.Canonicalize(raw)
	w.must(err)
	if signatures == nil {
		signatures = object{}
	}
	of, _ := signatures[string(user)].(object)
	if of == nil {
		of = object{}
	}
	of["ed25519:"+name] = sign(canonical).String()
	signatures[string(user)] = of
	out["signatures"] = signatures
	return out
}

// answer is what it says of users.
func (s *server) answer(users ...matrix.UserID) []byte {
	s.w.t.Helper()
	parts := map[string]object{"device_keys": {}, "master_keys": {}, "self_signing_keys": {}, "user_signing_keys": {}, "failures": {}}
	for _, u := range users {
		if s.down[u] {
			parts["failures"]["elsewhere.org"] = object{"errcode": "M_UNKNOWN"}
			continue
		}
		p := s.person(u)
		all := object{}
		for id, d := range p.devices {
			all[string(id)] = d
		}
		parts["device_keys"][string(u)] = all
		if p.crossSigned {
			parts["master_keys"][string(u)] = p.masterObject
			parts["self_signing_keys"][string(u)] = s.w.sign(keyObject(u, "self_signing", p.self), u, p.master)
			if u == alice {
				parts["user_signing_keys"][string(u)] = s.w.sign(keyObject(u, "user_signing", p.userSigning), u, p.master)
			}
		}
	}
	raw, err := json.Marshal(parts)
	s.w.must(err)
	return raw
}

// broken is what check finds.
func (p *process) broken() (all []string) {
	p.t.Helper()
	_, err := txn.View(p.context(), p.account.DB, func(tx *txn.Tx) (struct{}, error) {
		all = nil
		kinds := records.Kinds()
		c, err := records.NewCheckup(tx, p.account, kinds)
		if err != nil {
			return struct{}{}, err
		}
		for _, k := range kinds {
			if k.Check != nil {
				k.Check(c)
			}
		}
		for _, f := range c.Found {
			all = append(all, fmt.Sprintf("%s: %s", f.Kind, f.Broken))
		}
		return struct{}{}, nil
	})
	p.must(err)
	return all
}
