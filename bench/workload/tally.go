package workload

import "time"

// tally adds up what a run takes. What the processes use is read when it begins
// and when it ends, or when a process ends before: one may work for another.
type tally struct {
	outcome
	bases       map[*process]reading
	most        map[string]int64 // memory, by the names of processes
	untold      bool             // the system does not say how much
	first, last time.Time
}

// measured runs f as a run of a block.
func (s *stage) measured(b block, f func(*tally) error) (outcome, error) {
	t := tally{outcome: outcome{messages: b.messages}, bases: map[*process]reading{}, most: map[string]int64{}}
	for _, p := range s.running() {
		if err := t.begin(p); err != nil {
			return outcome{}, err
		}
	}
	if err := f(&t); err != nil {
		return outcome{}, err
	}
	for _, p := range s.running() {
		if err := t.end(p); err != nil {
			return outcome{}, err
		}
	}
	if t.took == 0 {
		t.took = t.last.Sub(t.first)
	}
	t.outcome.resident = t.resident()
	return t.outcome, nil
}

// add notes when a process did its calls.
func (t *tally) add(s sample) {
	t.latencies = append(t.latencies, s.Latencies...)
	if t.first.IsZero() || s.Started.Before(t.first) {
		t.first = s.Started
	}
	if s.Ended.After(t.last) {
		t.last = s.Ended
	}
}

// begin counts what a process uses from now on.
func (t *tally) begin(p *process) error {
	a, err := p.ask(request{Op: opRead})
	t.bases[p] = a.Reading
	return err
}

// born counts all that a process has used since it was started, as far as it is
// a process of its own.
func (t *tally) born(p *process, own bool) error {
	if own {
		t.bases[p] = reading{}
		return nil
	}
	return t.begin(p)
}

// end counts what a process has used.
func (t *tally) end(p *process) error {
	a, err := p.ask(request{Op: opRead})
	if err != nil {
		return err
	}
	t.used = t.used.plus(a.Reading.since(t.bases[p]))
	t.most[p.name] = max(t.most[p.name], a.Reading.Resident)
	t.untold = t.untold || a.Reading.Resident < 0
	return nil
}

// resident returns the memory of all processes, 0 if that cannot be told.
func (t *tally) resident() (bytes int64) {
	if t.untold {
		return 0
	}
	for _, n := range t.most {
		bytes += n
	}
	return bytes
}
