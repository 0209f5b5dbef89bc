package workload

import (
	"context"
	"math/rand/v2"
	"time"
)

// phone is what of Bob's phone is running.
type phone struct{ app *process }

func (p *phone) stop() error {
	if p.app == nil {
		return nil
	}
	app := p.app
	p.app = nil
	return app.exit()
}

// runDay plays a day without its idle hours: the notification extension is
// started for a letter or three and ends; the app is opened, reads what has
// come in one commit and answers some of it; people talk; something is shared
// with three peers; and now and then the system ends the app.
func runDay(ctx context.Context, s *stage, b block) (outcome, error) {
	return s.measured(b, func(t *tally) error {
		began := time.Now()
		d := day{stage: s, t: t, left: b.messages, rand: rand.New(rand.NewPCG(s.Seed, uint64(b.number)))}
		if s.day == nil {
			s.day = &phone{}
		}
		for d.left > 0 {
			if err := d.event(ctx); err != nil {
				return err
			}
		}
		t.took = time.Since(began)
		return nil
	})
}

// day is a day as it is played.
type day struct {
	*stage
	t    *tally
	left int // messages until its end
	rand *rand.Rand
}

// event is one thing that happens on a phone.
func (d *day) event(ctx context.Context) error {
	switch n := d.rand.IntN(100); {
	case n < 40:
		return d.wake(ctx)
	case n < 65:
		return d.foreground(ctx)
	case n < 85:
		return d.talk(ctx)
	case n < 95:
		return d.share(ctx)
	}
	return d.killed()
}

// killed has the system end the app.
func (d *day) killed() error {
	phone := d.phone()
	app := phone.app
	if app == nil {
		return nil
	}
	phone.app = nil
	return d.buried(d.t, app, nil)
}

func (d *day) phone() *phone { return d.stage.day }

// some returns how many messages an event has, of those that are left.
func (d *day) some(most int) int {
	n := min(1+d.rand.IntN(most), d.left)
	d.left -= n
	return n
}

func (d *day) anybody() int { return d.rand.IntN(d.Params.Sessions) }

// wake starts the extension for letters that come one by one.
func (d *day) wake(ctx context.Context) error {
	return d.briefly(ctx, "NSE", func(p *process) error {
		for range d.some(3) {
			l, err := d.writes(d.anybody())
			if err != nil {
				return err
			}
			if err := d.calls(d.t, p, call{Letters: []letter{l}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// share starts the share extension to write to some peers at once.
func (d *day) share(ctx context.Context) error {
	return d.briefly(ctx, "share extension", func(p *process) error {
		var c call
		for range d.some(3) {
			c.Targets = append(c.Targets, d.answer(d.anybody()).Targets...)
		}
		return d.calls(d.t, p, c)
	})
}

// briefly starts a process, lets it work, and ends it.
func (d *day) briefly(ctx context.Context, name string, work func(*process) error) error {
	p, err := d.born(ctx, d.t, name)
	if err != nil {
		return err
	}
	return d.buried(d.t, p, work(p))
}

// app returns the app, which is started if it is not running.
func (d *day) app(ctx context.Context) (*process, error) {
	phone := d.phone()
	if phone.app != nil {
		return phone.app, nil
	}
	p, err := d.born(ctx, d.t, "app")
	if err == nil {
		phone.app = p
	}
	return p, err
}

// foreground opens the app: a sync, and some answers.
func (d *day) foreground(ctx context.Context) error {
	app, err := d.app(ctx)
	if err != nil {
		return err
	}
	var sync call
	for range d.some(30) {
		l, err := d.writes(d.anybody())
		if err != nil {
			return err
		}
		sync.Letters = append(sync.Letters, l)
	}
	calls := []call{sync}
	if d.left > 0 {
		for range d.some(3) {
			calls = append(calls, d.answer(d.anybody()))
		}
	}
	return d.calls(d.t, app, calls...)
}

// talk is a conversation with one peer.
func (d *day) talk(ctx context.Context) error {
	app, err := d.app(ctx)
	if err != nil {
		return err
	}
	with := d.anybody()
	for i := range d.some(10) {
		if i%2 == 1 {
			err = d.calls(d.t, app, d.answer(with))
		} else {
			err = d.receives(app, with)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *day) receives(app *process, from int) error {
	l, err := d.writes(from)
	if err != nil {
		return err
	}
	return d.calls(d.t, app, call{Letters: []letter{l}})
}
