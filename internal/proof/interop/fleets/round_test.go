//go:build linux

package fleets

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
)

// Deadlines of the processes.
const (
	short    = time.Second            // of the engine: a statement on a busy machine takes a while
	deadline = 500 * time.Millisecond // of each call
	lasting  = 3 * short / 2          // is longer than both
	// ends is when a call hangs that has a deadline. The machine may be busy: it says that
	// nothing hangs, not how fast it is.
	ends = time.Minute
)

// round is one of faults, while the processes of a device work.
type round struct {
	site    *site
	crew    *crews.Crew
	victims []*crews.Member
	letters []*story.Letter
	alone   bool // one fault, and no other
}

// devices plays rounds: each fault of the site once, and then one or two at random.
func (s *site) devices(other interop.Implementation) {
	s.Helper()
	excuses := append([]error{processes.ErrGone, kv.ErrUnknown, context.DeadlineExceeded}, s.excuses...)
	c := crews.NewIn(s.T, s.place, s.rng, processes.Setup{Patience: short, Within: deadline}, other, excuses...)
	unknown := newUnknowns()
	c.Through = unknown.through
	c.Gather()
	all := s.all()
	// What comes first is healed first: servers before poolers, which ask them.
	play := func(faults ...fault) {
		names := make([]string, len(faults))
		for i, f := range faults {
			names[i] = f.name
		}
		unknown.begin(strings.Join(names, ", "))
		(&round{site: s, crew: c, alone: len(faults) == 1}).play(faults)
		unknown.settle(s.T)
	}
	for _, f := range all {
		play(f)
	}
	for range *rounds {
		i, j := s.rng.IntN(len(all)), s.rng.IntN(len(all))
		if i == j {
			play(all[i])
		} else {
			play(all[min(i, j)], all[max(i, j)])
		}
	}
	unknown.report(s.T)
	if s.makesLate {
		s.Logf("the bytes of %d connections came late", s.lateOnes)
		if s.lateOnes == 0 && *only == "" {
			s.Error("no connection's bytes came late")
		}
	}
	c.EndUnhurried()
}

// play lets all work, strikes, lets those go on who can, heals, and delivers again until
// each message is answered.
func (r *round) play(faults []fault) {
	t := r.site.T
	t.Helper()
	works := make(map[*crews.Member]func())
	for _, m := range r.crew.Members {
		works[m] = r.work(m)
	}
	var blows []blow
	lasts := false
	for _, f := range faults {
		r.crew.Pause(instant)
		if f.strike == nil {
			_, b := r.onMember(f.name)
			blows = append(blows, b)
		} else {
			blows = append(blows, f.strike(r))
		}
		lasts = lasts || f.lasts
	}
	r.goOn(works, lasts)
	for _, b := range blows {
		b.heal()
	}
	for _, wait := range works {
		within(t, "the work of who was struck", wait)
	}
	for _, b := range blows {
		if b.done != nil {
			b.done()
		}
	}
	r.crew.AtLeisure(func() { r.crew.Redeliver(r.letters...) })
}

// work begins the work of a member, who may be given others' messages too, and returns
// what waits for it.
func (r *round) work(m *crews.Member) (wait func()) {
	w := r.crew.NewWork(m)
	if len(r.letters) > 0 && r.crew.One(2) {
		theirs := r.letters[r.crew.Rand.IntN(len(r.letters))]
		w.Add(func() { _, _ = m.Receive(r.site.Context(), theirs) })
	}
	r.letters = append(r.letters, w.Letters...)
	return w.Begin()
}

// goOn waits until those have ended their calls whom no fault of a process has struck, and
// lets them try again, for longer than any deadline if the fault lasts.
func (r *round) goOn(works map[*crews.Member]func(), lasts bool) {
	r.site.Helper()
	began := time.Now()
	var others []*crews.Member
	for m, wait := range works {
		if !slices.Contains(r.victims, m) {
			others = append(others, m)
			within(r.site.T, "work while the fault lasts", wait)
		}
	}
	slices.SortFunc(others, func(a, b *crews.Member) int { return strings.Compare(a.Name, b.Name) })
	var more []func()
	for _, m := range others {
		more = append(more, r.work(m))
	}
	for _, wait := range more {
		within(r.site.T, "more work while the fault lasts", wait)
	}
	for i := 0; lasts && len(others) > 0 && time.Now().Before(began.Add(lasting)); i++ {
		_, err := others[i%len(others)].Machine.Inspect(r.site.Context())
		if err != nil && !crews.Refused(err) {
			r.site.Fatalf("looking while the fault lasts: %v", err)
		}
	}
}

// unstruck returns a member that no fault of this round has struck.
func (r *round) unstruck() *crews.Member {
	for {
		if m := r.crew.Any(); !slices.Contains(r.victims, m) {
			return m
		}
	}
}

// takeVictim returns a member that no fault of this round has struck yet.
func (r *round) takeVictim() *crews.Member {
	m := r.unstruck()
	r.victims = append(r.victims, m)
	return m
}

// within fails the test if something does not end.
func within(t *testing.T, what string, wait func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wait()
	}()
	select {
	case <-ended:
	case <-time.After(ends):
		t.Fatalf("%s has not ended for %v, with a deadline of %v for each call", what, ends, deadline)
	}
}
