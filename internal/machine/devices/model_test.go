package devices_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

var (
	rounds = flag.Int("rounds", 60, "random rounds of the model of queries")
	depth  = flag.Int("depth", 2, "steps of all courses of two processes and one user")
)

// model is what somebody knows who sees the server, the processes and what they were
// told. A user has one device at a time, which is called after how often it was
// replaced.
type model struct {
	*world
	server    *server
	processes []*process
	versions  map[matrix.UserID]int // on the server
	told      map[matrix.UserID]int // the newest that a process heard of
	tracked   map[matrix.UserID]bool
	flights   []flight
}

// flight is a request that was handed out, and the server's answer if it has one.
type flight struct {
	request outbox.Request
	answer  []byte
}

func newModel(t *testing.T, limits kv.Limits) *model {
	w := newWorld(t, limits)
	return &model{
		world: w, server: w.server(), processes: []*process{w.first, w.open()},
		versions: map[matrix.UserID]int{}, told: map[matrix.UserID]int{}, tracked: map[matrix.UserID]bool{},
	}
}

// track lets a process follow a user.
func (m *model) track(p *process, user matrix.UserID) {
	p.track(user)
	m.tracked[user], m.told[user] = true, max(m.told[user], m.versions[user])
}

// replace gives a user another device.
func (m *model) replace(user matrix.UserID) {
	m.versions[user]++
	clear(m.server.person(user).devices)
	m.server.person(user).device(nameOf(m.versions[user]))
}

func nameOf(version int) matrix.DeviceID { return matrix.DeviceID(fmt.Sprintf("V%d", version)) }

// tell tells a process that the user has changed.
func (m *model) tell(p *process, user matrix.UserID) {
	p.outdate(user)
	m.told[user] = m.versions[user]
}

func (m *model) tellAll(p *process) {
	p.allOutdated()
	for user, version := range m.versions {
		m.told[user] = version
	}
}

func (m *model) leave(p *process, user matrix.UserID) {
	p.leave(user)
	m.tracked[user] = m.tracked[user] && user == alice // the own user is followed always
}

// send lets a process hand out what there is.
func (m *model) send(p *process) {
	for _, r := range p.outgoing() {
		m.flights = append(m.flights, flight{request: r})
	}
}

// serve lets the server answer a flight, if it has not.
func (m *model) serve(i int) {
	if m.flights[i].answer == nil {
		m.flights[i].answer = m.server.answer(m.asks(m.flights[i].request)...)
	}
}

// deliver applies an answer, which stays: it may come again. A process with few
// commits left is killed, and another takes its place.
func (m *model) deliver(i, by, commits int) {
	m.t.Helper()
	m.serve(i)
	m.within(by, commits, func(p *process) error {
		return p.box.MarkSent(m.context(), m.flights[i].request.ID, m.flights[i].answer)
	})
}

func (m *model) fail(i, by, commits int, f outbox.Failure) {
	m.t.Helper()
	m.within(by, commits, func(p *process) error { return p.box.MarkFailed(m.context(), m.flights[i].request.ID, f) })
}

func (m *model) within(by, commits int, call func(p *process) error) {
	m.t.Helper()
	p := m.processes[by]
	p.engine.left = commits
	err := call(p)
	switch {
	case err == nil || errors.Is(err, outbox.ErrNoRequest):
		p.engine.left = -1
	case errors.Is(err, kv.ErrClosed):
		narrow := p.engine.narrow
		m.processes[by] = m.open()
		m.processes[by].engine.narrow = narrow
	default:
		m.t.Fatal(err)
	}
}

// check fails if a user counts as known whose device is older than what was heard of,
// or is asked for twice at once.
func (m *model) check(course string) {
	m.t.Helper()
	p := m.processes[0]
	for user := range m.tracked {
		if !m.tracked[user] || p.state(user) != devices.Current {
			continue
		}
		live := p.live(user)
		known := slices.ContainsFunc(versionsFrom(m.told[user], m.versions[user]), func(v int) bool { _, has := live[nameOf(v)]; return has })
		if m.told[user] > 0 && (len(live) != 1 || !known) {
			m.t.Fatalf("%s: %s counts as known with %v, and heard was of %d", course, user, live, m.told[user])
		}
	}
	asked := map[matrix.UserID]int{}
	_, err := txn.View(m.context(), p.account.DB, func(tx *txn.Tx) (struct{}, error) {
		clear(asked)
		for b, err := range records.RequestBodies.Scan(tx) {
			if err != nil {
				return struct{}{}, err
			}
			var body struct {
				Devices map[matrix.UserID]json.RawMessage `json:"device_keys"`
			}
			if err := json.Unmarshal(b.Body, &body); err != nil {
				return struct{}{}, err
			}
			for user := range body.Devices {
				asked[user]++
			}
		}
		return struct{}{}, nil
	})
	m.must(err)
	for user, n := range asked {
		if n > 1 && !m.processes[1].engine.narrow {
			m.t.Fatalf("%s: %d queries are under way for %s", course, n, user)
		}
	}
}

func versionsFrom(from, to int) (all []int) {
	for v := from; v <= to; v++ {
		all = append(all, v)
	}
	return all
}

// quiet lets everything come to an end, after which whoever is followed is known as
// they are.
func (m *model) quiet(course string) {
	m.t.Helper()
	clear(m.server.down)
	for range 3 {
		m.later(device.MaxBackoff)
		m.processes[0].answers(m.server)
	}
	m.check(course)
	for user := range m.tracked {
		if state := m.processes[1].state(user); m.tracked[user] != (state == devices.Current) {
			m.t.Fatalf("%s: in the end %s is %v", course, user, state)
		}
	}
	if found := m.processes[0].broken(); len(found) > 0 {
		m.t.Fatalf("%s: check finds %q", course, found)
	}
}

// TestQueryModel: whatever comes between, a user who changed is asked for until an
// answer that began after the change was applied.
func TestQueryModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	users := []matrix.UserID{bob, carol, dave, alice}
	for round := range *rounds {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		limits := kv.Embedded()
		if round%2 == 1 {
			limits = kv.Floor()
		}
		m := newModel(t, limits)
		// What one process asks for at once takes the other several commits.
		m.processes[1].engine.narrow = round%4 > 1
		for _, user := range users {
			m.track(m.processes[0], user)
		}
		course := fmt.Sprintf("seed %d, round %d:", seed, round)
		for range 80 {
			i := random.IntN(len(m.processes))
			p := m.processes[i]
			user := users[random.IntN(len(users))]
			some := -1
			if len(m.flights) > 0 {
				some = len(m.flights) - 1 - random.IntN(min(len(m.flights), 3))
			}
			commits := random.IntN(8) - 3
			step := random.IntN(12)
			course += fmt.Sprintf(" %d/%d", step, i)
			switch {
			case step == 0:
				m.leave(p, user)
			case step == 1:
				m.replace(user) // which nobody hears of but by this
				m.tellAll(p)
			case step == 2:
				m.server.down[user] = !m.server.down[user]
			case step == 3:
				m.later(time.Duration(random.IntN(120)) * time.Second)
			case step <= 5:
				m.replace(user)
				m.tell(p, user)
			case step == 6:
				m.track(p, user)
			case step <= 8:
				m.send(p)
			case some < 0:
			case step == 9:
				f := []outbox.Failure{{Reason: outbox.Unknown}, {Reason: outbox.NotSent}, {Reason: outbox.Refused, Status: 400}, {Reason: outbox.Refused, Status: 500}}
				m.fail(some, i, commits, f[random.IntN(len(f))])
			case step == 10:
				m.serve(some)
			default:
				m.deliver(some, i, commits)
			}
			m.check(course)
		}
		m.quiet(course)
	}
}

// TestQueriesOfAllCourses is the same for every course of a few steps of two
// processes, each of which may be killed, and one user.
func TestQueriesOfAllCourses(t *testing.T) {
	all := []struct {
		name string
		do   func(m *model)
	}{
		{"change", func(m *model) { m.replace(bob); m.tell(m.processes[0], bob) }},
		{"all", func(m *model) { m.tellAll(m.processes[1]) }},
		{"send", func(m *model) { m.send(m.processes[0]) }},
		{"send later", func(m *model) { m.later(outbox.LeaseLife + time.Minute); m.send(m.processes[1]) }},
		{"serve", func(m *model) { m.serve(len(m.flights) - 1) }},
		{"apply first", func(m *model) { m.deliver(0, 0, -1) }},
		{"apply last", func(m *model) { m.deliver(len(m.flights)-1, 1, -1) }},
		{"kill at once", func(m *model) { m.deliver(len(m.flights)-1, 1, 0) }},
		{"kill after one", func(m *model) { m.deliver(len(m.flights)-1, 0, 1) }},
		{"fail", func(m *model) { m.fail(len(m.flights)-1, 0, -1, outbox.Failure{Reason: outbox.Unknown}) }},
		{"leave and come back", func(m *model) { m.leave(m.processes[0], bob); m.track(m.processes[1], bob) }},
	}
	courses := make([][]int, 1)
	for range *depth {
		var longer [][]int
		for _, c := range courses {
			for i := range all {
				longer = append(longer, append(slices.Clip(c), i))
			}
		}
		courses = longer
	}
	for _, course := range courses {
		m := newModel(t, kv.Embedded())
		m.replace(bob)
		m.track(m.processes[0], bob)
		m.send(m.processes[0])
		name := ""
		for _, i := range course {
			name += " " + all[i].name
			all[i].do(m)
			m.check(name)
		}
		m.quiet(name)
	}
}
