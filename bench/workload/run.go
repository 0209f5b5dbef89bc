package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/kv"
)

// Run prepares a comparison, runs its systems in turn, and returns a row for
// each in the order of Config.Systems. The error is of the stores, the
// processes or ctx, not of a design: what a design gets wrong is in its row.
func Run(ctx context.Context, c Config) ([]result.Row, error) {
	w, err := c.check()
	if err != nil {
		return nil, err
	}
	rows, err := run(ctx, c, w)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // the processes end with it, and say so in their way
		}
		return nil, fmt.Errorf("workload: %s: %w", c.Workload, err)
	}
	return rows, nil
}

func run(ctx context.Context, c Config, w workload) (rows []result.Row, err error) {
	// What is left of the processes ends with the comparison.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.Progress(Progress{Workload: c.Workload, Params: c.Params, Runs: c.Runs})
	p, err := prepare(ctx, c, w)
	if err != nil {
		return nil, err
	}
	stages, err := setUpAll(ctx, p, w)
	defer func() {
		for _, s := range stages {
			if err != nil {
				_ = s.stop()
			}
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
		err = errors.Join(err, os.Remove(p.entries))
	}()
	if err != nil {
		return nil, err
	}
	if err := runAll(ctx, p, w, stages); err != nil {
		return nil, err
	}
	for _, s := range stages {
		if err := s.mend(ctx); err != nil {
			return nil, fmt.Errorf("%v: %w", s.system, err)
		}
		rows = append(rows, rowOf(p, s))
	}
	return rows, nil
}

// runAll runs the systems in turn.
func runAll(ctx context.Context, p *preparation, w workload, stages []*stage) error {
	for _, b := range p.blocks {
		for _, s := range stages {
			p.Progress(Progress{Workload: p.Workload, Params: p.Params, System: s.system, Run: b.number, Runs: p.Runs})
			if s.missing != "" {
				continue
			}
			o, err := w.run(ctx, s, b)
			if err := s.excused(err); err != nil {
				return fmt.Errorf("%v: %w", s.system, err)
			}
			if b.number > 0 {
				s.outcomes = append(s.outcomes, o)
			}
		}
	}
	return nil
}

// excused returns the error of a stage, unless it says that the design cannot do
// the workload: the row says so then.
func (s *stage) excused(err error) error {
	if !errors.Is(err, kv.ErrTooLarge) {
		return err
	}
	s.missing = "the account does not fit into one commit, which takes 2 MiB"
	return nil
}

// setUpAll makes a store for each system, from one template for each engine whose
// stores can be copied.
// On an error the stages that were made are returned, too.
func setUpAll(ctx context.Context, p *preparation, w workload) (stages []*stage, err error) {
	templates := map[layout]string{}
	defer func() {
		for _, dir := range templates {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	for _, sys := range p.Systems {
		s := &stage{
			preparation: p, system: sys, ledger: newLedger(p), number: p.number,
			dir: filepath.Join(p.Dir, sys.Design+"-"+sys.Engine),
		}
		if p.server != nil {
			s.ledger.room = p.server.ledger.room.clone()
			s.server = p.server.with(s.ledger)
		}
		stages = append(stages, s)
		l := sys.layout()
		template, made := templates[l]
		if others[l.engine] == nil && !made && l.engine != Memory {
			template = filepath.Join(p.Dir, "template-"+l.engine+l.entries)
			if err := os.Mkdir(template, 0o700); err != nil {
				return stages, err
			}
			templates[l] = template
			if err := s.excused(makeTemplate(ctx, sys, template, p.entries)); err != nil {
				return stages, err
			}
		}
		if err := s.excused(s.setUp(ctx, template, w.processes(p.Params))); err != nil {
			return stages, fmt.Errorf("%v: %w", sys, err)
		}
	}
	return stages, nil
}
