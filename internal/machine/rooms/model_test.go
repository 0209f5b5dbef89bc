package rooms_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

var (
	modelRounds = flag.Int("rooms.rounds", 40, "random lives of a room")
	modelSeed   = flag.Uint64("rooms.seed", 0, "of the first random life; 0: another one each time")
)

// TestLives: random lives of a room, in several processes with faults, and what is
// true of every event: it is read by each device that was to read it when it was
// encrypted, by no other one, and each index is used once.
func TestLives(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	rounds := *modelRounds
	if raceEnabled || testing.Short() {
		rounds = rounds/4 + 1
	}
	for i := range rounds {
		newLife(t, seed+uint64(i)).live(40)
		if t.Failed() {
			t.Fatalf("replay with -rooms.rounds=1 -rooms.seed=%d", seed+uint64(i))
		}
	}
}

// life is a random one.
type life struct {
	*world
	random  *rand.Rand
	handles []*handle
	faults  []faulty.Fault // of commits to come
	in      map[matrix.UserID]bool
	n       int // devices
	events  []recorded
	log     []string
}

// recorded is an event, with those that were to read it.
type recorded struct {
	sentEvent
	wanted []string
	log    int
}

func newLife(t *testing.T, seed uint64) *life {
	var limits []memkv.Option
	if seed%2 == 0 {
		limits = append(limits, memkv.WithLimits(kv.Floor()))
	}
	l := &life{world: newWorld(t, limits...), random: rand.New(rand.NewPCG(seed, 1)), in: map[matrix.UserID]bool{bob: true, carol: true}}
	for _, user := range []matrix.UserID{bob, carol, dave, alice} {
		l.addDevice(user)
	}
	for range 3 {
		l.handles = append(l.handles, l.start())
	}
	sync(t, l.handle().account, false, state("m.room.encryption", `{"algorithm":"m.megolm.v1.aes-sha2","rotation_period_msgs":7}`))
	return l
}

// start starts a process, some of whose commits fail.
func (l *life) start() *handle {
	return l.handleOn(faulty.Wrap(l.store, faulty.Hooks{Before: l.fault, After: l.lose}))
}

// fault fails a commit before it is made, lose after it.
func (l *life) fault(_ context.Context, call faulty.Call) error {
	if call.Op != faulty.Commit || len(call.Batch.Writes) == 0 || len(l.faults) == 0 {
		return nil
	}
	f := l.faults[0]
	switch f {
	case faulty.DiskFull:
		l.faults = l.faults[1:]
		return kv.ErrDiskFull
	case faulty.Unavailable:
		l.faults = l.faults[1:]
		return kv.ErrUnavailable
	}
	return nil
}

func (l *life) lose(_ context.Context, call faulty.Call, err error) error {
	if call.Op != faulty.Commit || len(call.Batch.Writes) == 0 || len(l.faults) == 0 || err != nil {
		return nil
	}
	l.faults = l.faults[1:]
	return kv.ErrClosed // applied, and nobody was told
}

func (l *life) addDevice(user matrix.UserID) {
	l.n++
	l.add(user, matrix.DeviceID(fmt.Sprintf("%c%d", user[1], l.n)))
}

func (l *life) members() (all []matrix.UserID) {
	for _, user := range []matrix.UserID{bob, carol, dave} {
		if l.in[user] {
			all = append(all, user)
		}
	}
	return append(all, alice)
}

// allowed returns the devices that are to read what is encrypted now.
func (l *life) allowed() (names []string) {
	for _, p := range l.everybody() {
		if (l.in[p.name.User] || p.name.User == alice) && !p.gone {
			names = append(names, string(p.name.Device))
		}
	}
	return names
}

func (l *life) live(steps int) {
	for range steps {
		h := l.handles[l.random.IntN(len(l.handles))]
		l.step(h)
		if l.Failed() {
			break
		}
	}
	l.faults = nil
	l.now = l.now.Add(time.Hour) // leases and pauses are over
	h := l.handle()
	h.shareAll(l.members()...)
	l.record(h)
	l.judge()
}

// step is one thing that happens.
func (l *life) step(h *handle) {
	user := []matrix.UserID{bob, carol, dave}[l.random.IntN(3)]
	what := ""
	switch l.random.IntN(14) {
	case 0, 1, 2:
		_, err := h.rooms.Share(h.Context(), room, l.members(), settings)
		what = fmt.Sprint("share ", err)
	case 3, 4:
		all, err := h.box.Outgoing(h.Context())
		for _, r := range all {
			if h.tryAnswer(r) != nil {
				break
			}
		}
		what = fmt.Sprint("send ", len(all), err)
	case 5, 6, 7:
		what = l.record(h)
	case 8:
		l.in[user] = !l.in[user]
		sync(l.T, l.handle().account, l.random.IntN(2) == 0, member(user, map[bool]string{true: "join", false: "leave"}[l.in[user]]))
		what = fmt.Sprint(user, " is in ", l.in[user])
	case 9:
		l.addDevice(user)
		l.handle().changes(user)
		what = fmt.Sprint("device ", l.n)
	case 10:
		for _, p := range l.everybody() {
			if p.name.User == user && !p.gone && p.name.User != alice {
				p.gone = true
				what = fmt.Sprint("gone ", p.name.Device)
				break
			}
		}
		l.handle().changes(user)
	case 11:
		must(l.T, l.handle().rooms.Rotate(l.Context(), room))
		what = "rotate"
	case 12:
		l.now = l.now.Add(time.Minute)
		h = l.start()
		l.handles[l.random.IntN(len(l.handles))] = h
		what = "restart"
	case 13:
		l.faults = append(l.faults, []faulty.Fault{faulty.DiskFull, faulty.Unavailable, faulty.AppliedUnknown}[l.random.IntN(3)])
		what = fmt.Sprint("fault ", l.faults)
	}
	l.log = append(l.log, what)
}

// record encrypts an event, if that is possible now.
func (l *life) record(h *handle) string {
	e, err := h.encrypt("text")
	if err == nil {
		l.events = append(l.events, recorded{e, l.allowed(), len(l.log)})
	} else if !errors.Is(err, rooms.ErrNotShared) && !errors.Is(err, rooms.ErrRotate) && !errors.Is(err, kv.ErrDiskFull) &&
		!errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrClosed) && !errors.Is(err, kv.ErrUnknown) {
		l.Error(err)
	}
	return fmt.Sprint("encrypt ", err)
}

func (l *life) judge() {
	used := map[string]bool{}
	for _, e := range l.events {
		if got := l.readers(e.sentEvent); !slices.Equal(got, e.wanted) {
			l.Errorf("after %q an event of index %d is read by %q, want %q", l.log[:e.log], e.message.Index, got, e.wanted)
		}
		index := fmt.Sprint(e.session, e.message.Index)
		if used[index] {
			l.Errorf("an index was used twice: %q", l.log)
		}
		used[index] = true
	}
	for _, p := range l.everybody() {
		for id, n := range p.times {
			if n != 1 {
				l.Errorf("%s was given the key of %s %d times: %q", p.name.Device, id, n, l.log)
			}
		}
	}
}
