package demo

import "context"

// mend starts both processes anew after a loss. If the session still does not
// work it is wedged, and Alice opens another, as clients do.
func (g *game) mend(ctx context.Context, number int) error {
	works, err := g.works(ctx, number)
	if err != nil || works {
		g.story.mended(works)
		return err
	}
	g.outcome.Wedged++
	g.story.mended(false)
	if err := g.anew(ctx); err != nil {
		return err
	}
	if err := g.claim(); err != nil {
		return err
	}
	if _, err := g.exchange(ctx, number, probes(uint64(number))[:2]); err != nil {
		return err
	}
	return g.anew(ctx) // what is in memory is of the session that was given up
}

// works starts both processes anew and reports whether letters arrive, each way
// with each process.
func (g *game) works(ctx context.Context, number int) (bool, error) {
	if err := g.anew(ctx); err != nil {
		return false, err
	}
	return g.exchange(ctx, number, probes(uint64(number)))
}

// exchange plays rounds one after the other, which are not counted, and reports
// whether nothing was lost.
func (g *game) exchange(ctx context.Context, number int, rounds []round) (bool, error) {
	good := true
	for _, r := range rounds {
		delivered, err := g.round(ctx, r)
		if err != nil {
			return false, err
		}
		d := delivered[r.victim]
		g.history.add(g.bob[r.victim].name, number, d.answer)
		good = good && d.lost == ""
	}
	return good, nil
}

// anew starts both processes again: whatever they had in memory is gone.
func (g *game) anew(ctx context.Context) error {
	for _, p := range g.bob {
		if err := p.restart(ctx); err != nil {
			return err
		}
	}
	return nil
}
