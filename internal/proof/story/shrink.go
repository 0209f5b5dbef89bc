package story

import "slices"

// Shrink returns the smallest program it finds that still fails, trying at most
// so many. fails runs one and says whether the same oracle failed; the program
// given is known to fail and has its decisions.
func Shrink(p Program, tries int, fails func(Program) bool) Program {
	s := &shrinker{best: p, tries: tries, fails: fails}
	for size := p.Size() + 1; s.best.Size() < size && s.tries > 0; {
		size = s.best.Size()
		s.actors()
		s.steps()
		s.decisions()
		s.faults()
	}
	return s.best
}

type shrinker struct {
	best  Program
	tries int
	fails func(Program) bool
}

// try keeps a program if it fails too.
func (s *shrinker) try(p Program) bool {
	if s.tries == 0 {
		return false
	}
	s.tries--
	if !s.fails(p) {
		return false
	}
	s.best = p
	return true
}

func (s *shrinker) actors() {
	for i := len(s.best.Actors) - 1; i >= 0; i-- {
		p := s.best
		p.Actors = slices.Delete(slices.Clone(p.Actors), i, i+1)
		s.try(p)
	}
}

func (s *shrinker) steps() {
	for i := range s.best.Actors {
		for j := len(s.best.Actors[i].Ops) - 1; j >= 0; j-- {
			p := s.best
			p.Actors = slices.Clone(p.Actors)
			p.Actors[i].Ops = slices.Delete(slices.Clone(p.Actors[i].Ops), j, j+1)
			s.try(p)
		}
	}
}

// decisions removes runs of decisions, long ones first.
func (s *shrinker) decisions() {
	for n := len(s.best.Decisions); n > 0; n /= 2 {
		for from := len(s.best.Decisions) - n; from >= 0; from -= n {
			p := s.best
			p.Decisions = slices.Delete(slices.Clone(p.Decisions), from, from+n)
			s.try(p)
			from = min(from, len(s.best.Decisions))
		}
	}
}

// faults makes decisions without an action of those that have one.
func (s *shrinker) faults() {
	for i := 0; i < len(s.best.Decisions); i++ {
		if s.best.Decisions[i].Action == Go {
			continue
		}
		p := s.best
		p.Decisions = slices.Clone(p.Decisions)
		p.Decisions[i].Action = Go
		s.try(p)
	}
}
