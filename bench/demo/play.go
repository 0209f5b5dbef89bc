package demo

import (
	"context"
	"errors"

	"github.com/pawlkv/pawl/ratchet"
)

// game is a run of one design: Bob's phone with its two processes, and Alice.
type game struct {
	stage   stage
	bob     [2]*process // app, NSE
	alice   *alice
	claimed *ratchet.PublicKey // a one-time key of Bob's, for Alice's next letter
	oracle  oracle
	history history
	steps   []int64 // microseconds
	outcome Outcome
	story   *story
}

// play plays the rounds with one design, restarts both processes and looks
// whether they can still talk to Alice.
func play(ctx context.Context, s stage, rounds []round, told *story) (o Outcome, err error) {
	g, err := newGame(ctx, s, told)
	if err != nil {
		return Outcome{}, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	g.outcome.Messages = messages(rounds)
	for _, r := range rounds {
		s.Progress(Progress{s.plan.Name, s.before + r.number, s.of, g.outcome.Lost, event(r)})
		if err := g.play(ctx, r); err != nil {
			return g.outcome, err
		}
		if told.err != nil {
			return g.outcome, told.err
		}
	}
	err = g.finish(ctx, len(rounds))
	return g.outcome, err
}

func newGame(ctx context.Context, s stage, told *story) (_ *game, err error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	g := &game{
		stage: s, story: told, oracle: oracle{used: map[slot]bool{}}, history: history{},
		outcome: Outcome{Name: s.plan.Name, title: s.plan.Title, holds: s.plan.Holds},
	}
	if g.alice, err = newAlice(ctx); err != nil {
		return nil, err
	}
	for i, name := range []string{"app", "NSE"} {
		g.bob[i] = &process{name: name, command: s.Process, open: request{
			Op: opOpen, Engine: s.Engine, Dir: s.dir, Design: s.plan.Name, Process: name,
		}}
	}
	if err := g.begin(ctx); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// begin makes Bob's account, before the story begins, and starts his processes.
func (g *game) begin(ctx context.Context) error {
	app, nse := g.bob[0], g.bob[1]
	if err := app.start(ctx); err != nil {
		return err
	}
	registered, err := app.must(request{Op: opRegister})
	if err != nil {
		return err
	}
	if g.alice.bob, err = ratchet.ParsePublicKey(registered.Key); err != nil {
		return err
	}
	if err := g.claim(); err != nil {
		return err
	}
	if err := app.restart(ctx); err != nil {
		return err
	}
	return nse.start(ctx)
}

// claim gets Alice a one-time key of Bob's, as a server would.
func (g *game) claim() error {
	uploaded, err := g.bob[0].must(request{Op: opKey})
	if err != nil {
		return err
	}
	key, err := ratchet.ParsePublicKey(uploaded.Key)
	g.claimed = &key
	return err
}

// play plays a round, and mends the session if a letter was lost.
func (g *game) play(ctx context.Context, r round) error {
	delivered, err := g.round(ctx, r)
	if err != nil {
		return err
	}
	losses := g.note(r, delivered)
	g.story.round(r, losses, g.stage.plan)
	if len(losses) == 0 {
		return nil
	}
	if g.outcome.First == nil {
		g.outcome.First = &losses[0]
	}
	return g.mend(ctx, r.number)
}

// note counts what came of a round, and returns what was lost.
func (g *game) note(r round, delivered [2]*delivery) (losses []Loss) {
	switch r.fate {
	case restart:
		g.outcome.Restarts++
	case kill:
		g.outcome.Kills++
	case stop:
		g.outcome.Stops++
	}
	for i, d := range delivered {
		if d != nil {
			g.history.add(g.bob[i].name, r.number, d.answer)
		}
	}
	for i, d := range delivered {
		if d == nil {
			continue
		}
		g.outcome.Retries += d.answer.Retries
		if !d.disturbed {
			g.steps = append(g.steps, d.answer.Micros)
		}
		if d.lost == "" {
			g.outcome.Decrypted++
			continue
		}
		g.outcome.Lost++
		losses = append(losses, Loss{
			Round: r.number, Process: g.bob[i].name, ToBob: r.letters[i].toBob,
			Error: d.lost, Why: g.history.explain(g.bob[i].name, d.answer),
		})
	}
	return losses
}

// finish looks, with new processes, at what is left.
func (g *game) finish(ctx context.Context, rounds int) error {
	works, err := g.works(ctx, rounds+1)
	if err != nil {
		return err
	}
	if !works {
		g.outcome.Wedged++
	}
	g.outcome.Reused = g.oracle.reused
	g.outcome.P50, g.outcome.P99 = percentile(g.steps, 50), percentile(g.steps, 99)
	g.outcome.Worst = percentile(g.steps, 100)
	bob, err := g.bob[0].must(request{Op: opCheck})
	if err != nil {
		return err
	}
	alice, err := g.alice.Check(ctx)
	g.outcome.Broken = append(bob.Broken, alice...)
	if err != nil {
		return err
	}
	return errors.Join(g.bob[0].life().exit(), g.bob[1].life().exit())
}

// close ends what is left of the processes.
func (g *game) close() error {
	for _, p := range g.bob {
		if l := p.life(); l != nil {
			l.kill()
			l.bury()
		}
	}
	return g.alice.engine.Close()
}
