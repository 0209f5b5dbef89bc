package workload

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

const bobUser, bobDevice = "@bob:example.org", "PHONE"

// storeKey seals Bob's stores: nothing in them is worth hiding.
func storeKey() pawl.Option { return pawl.WithKey([32]byte{}) }

// Serve is one of Bob's processes: it reads requests from r and answers them on
// w, until it is told to exit or r ends. Then it closes its store.
func Serve(ctx context.Context, r io.Reader, w io.Writer) error {
	return serve(ctx, r, w, design.Design.Share)
}

// sharer returns the engine as one process of a design has it.
type sharer func(d design.Design, engine kv.Store, process string) design.Shared

func serve(ctx context.Context, r io.Reader, w io.Writer, share sharer) (err error) {
	b := &bob{share: share, probe: &txn.Probe{}}
	defer func() { err = errors.Join(err, b.close()) }()
	requests, answers := gob.NewDecoder(r), gob.NewEncoder(w)
	for {
		var q request
		if err := requests.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("workload: request: %w", err)
		}
		if q.Op == opExit {
			return nil
		}
		var a answer
		began := time.Now()
		if err := b.do(ctx, q, &a); err != nil {
			a.Error, a.TooLarge = err.Error(), errors.Is(err, kv.ErrTooLarge)
		}
		a.Took = time.Since(began)
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("workload: answer: %w", err)
		}
	}
}

// bob is Bob's device as one process has it.
type bob struct {
	share   sharer
	opening opening
	engine  engine
	shared  design.Shared // nil if the process only owns the engine
	probe   *txn.Probe
	store   *pawl.Store
	machine *pawl.Machine
	calls   []call
	workers int
	// receipts of messages that are not acknowledged yet.
	receipts []session.ReceiptID
	ticket   pawl.SyncTicket // of the next sync
}

func (b *bob) do(ctx context.Context, q request, a *answer) error {
	if (b.engine.Store == nil) != (q.Op == opOpen) {
		return fmt.Errorf("operation %d comes at the wrong time", q.Op)
	}
	switch q.Op {
	case opOpen:
		return b.open(ctx, q.Open)
	case opLoad:
		b.calls, b.workers = q.Calls, max(q.Workers, 1)
		return nil
	case opGo:
		return b.goOn(ctx, q.One, a)
	case opRead:
		a.Reading = b.read()
		return nil
	case opTicket:
		return b.ask(ctx, a)
	case opRequests:
		return b.requests(ctx, a)
	case opAnswered:
		return b.answered(ctx, q.Answers, a)
	}
	return fmt.Errorf("no operation %d", q.Op)
}

func (b *bob) open(ctx context.Context, o opening) (err error) {
	b.opening = o
	if b.engine, err = openEngine(o.Engine, o.Dir); err != nil {
		return err
	}
	if o.Entries != "" {
		if err := fillFor(ctx, System{o.Design, o.Engine}, b.engine, o.Entries); err != nil {
			return err
		}
	}
	if o.Design == "" {
		return nil
	}
	d, known := design.Find(o.Design)
	if !known {
		return fmt.Errorf("no design %q", o.Design)
	}
	b.shared = b.share(d, b.engine, o.Process)
	b.store, err = pawl.Open(ctx, b.shared, storeKey(), pawl.WithCache(d.Cache), pawl.WithTransactions(txn.WithProbe(b.probe)))
	if err != nil {
		return err
	}
	b.machine, err = b.store.Machine(ctx, bobUser, bobDevice)
	return err
}

// goOn does the calls that were loaded, or one of them.
func (b *bob) goOn(ctx context.Context, one int, a *answer) error {
	if b.machine == nil {
		return errors.New("this process only owns the engine")
	}
	calls := b.calls
	if one != 0 {
		if one > len(calls) {
			return fmt.Errorf("there are %d calls, and no number %d", len(calls), one)
		}
		calls = calls[one-1 : one]
	}
	s := &a.Sample
	s.Latencies = make([]time.Duration, 0, len(calls))
	s.Started = time.Now()
	began := s.Started
	for _, c := range calls {
		if err := errors.Join(b.call(ctx, c, a), b.acknowledge(ctx)); err != nil {
			return err
		}
		now := time.Now()
		s.Latencies = append(s.Latencies, now.Sub(began))
		began = now
	}
	s.Ended = began
	return nil
}

// call does one call. The error is not the design's.
func (b *bob) call(ctx context.Context, c call, a *answer) error {
	switch {
	case len(c.Letters) == 1:
		return b.decrypt(ctx, c.Letters[0], a)
	case len(c.Letters) > 1:
		return b.decryptAll(ctx, c.Letters, a)
	case c.Sync != nil:
		return b.sync(ctx, c.Sync, a)
	case c.Share != nil:
		return b.shareKey(ctx, *c.Share, a)
	case c.Say != nil:
		return b.say(ctx, *c.Say, a)
	case c.Hear != nil:
		return b.hear(ctx, c.Hear, a)
	}
	return b.encryptAll(ctx, c.Targets, a)
}

func (b *bob) read() reading {
	var r reading
	if b.opening.Meter {
		r.readSystem()
	}
	if b.store != nil {
		r.readTransactions(b.store.Stats(), b.probe)
		r.Refused = int64(b.shared.Refused())
	}
	r.Syncs, r.Syncing = b.engine.syncs()
	return r
}

func (b *bob) close() error {
	if b.engine.Store == nil {
		return nil
	}
	return b.engine.Close()
}

// results collects what several workers make.
type results struct {
	mu  sync.Mutex
	a   *answer
	err error
}

func (r *results) add(m made, f *failure, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.err = errors.Join(r.err, err)
	case f != nil:
		r.a.Failed = append(r.a.Failed, *f)
	default:
		r.a.Made = append(r.a.Made, m)
	}
}
