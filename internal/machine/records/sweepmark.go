package records

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// SweepMark is when an account was swept last: a time that somebody vouched for,
// and how far the account's order had come then.
type SweepMark struct {
	At    time.Time
	Order frame.Order
}

// SweepMarks: the record sweep.
var SweepMarks = txn.Single[SweepMark]{Kind: "sweep", Codec: machine.Encoded[SweepMark]{Read: decodeSweepMark}}

func sweepMarkKind() Kind { return Kind{Records: one(&SweepMarks), Broken: dropFix, Sweep: rightTimes} }

const (
	sweepMarkVersion = 2
	sweepMarkFields  = 2
)

// Encode returns the record.
func (m SweepMark) Encode() ([]byte, error) {
	return frame.Encode(sweepMarkVersion, sweepMarkFields, 24, func(w *frame.Writer) {
		w.Time(m.At)
		w.Order(m.Order)
	}), nil
}

func decodeSweepMark(b []byte) (m SweepMark, err error) {
	err = frame.Decode("sweep", b, sweepMarkVersion, sweepMarkFields, func(r *frame.Reader) {
		m.At, m.Order = r.Time(), r.Order()
		r.Check(!m.At.IsZero() && m.Order != 0, "time or order")
	})
	return m, err
}

// rightTimes puts right what clocks have told wrong since the last sweep, as far
// as the order and the times of all that happened tell, so that everything lives
// as long as it is meant to from the first time on that was right. It comes
// before all that expires.
func rightTimes(ctx context.Context, s *Sweep) error {
	found, err := txn.View(ctx, s.Account.DB, func(tx *txn.Tx) (known, error) { return knowTimes(tx, s) })
	if err != nil || !found.raised {
		return err
	}
	t := learn(found.made, found.events, found.since, s.Now)
	if err := t.apply(ctx, s); err != nil {
		return err
	}
	if err := t.placeOld(ctx, s, found.ahead); err != nil {
		return err
	}
	return s.Account.Do(ctx, func(tx *txn.Tx) error {
		if _, err := s.Account.Active(tx); err != nil {
			return err
		}
		return SweepMarks.Put(tx, SweepMark{At: s.Now, Order: found.order})
	})
}

// known is what an account knows of times.
type known struct {
	raised bool
	made   time.Time // the account
	events []event
	since  event
	order  frame.Order         // of the view
	ahead  []ratchet.PublicKey // peers that were heard in the future in format 1
}

func knowTimes(tx *txn.Tx, s *Sweep) (k known, err error) {
	a, err := s.Account.Read(tx)
	if err != nil || !a.Raised() {
		return k, err
	}
	k.raised, k.made = true, a.Created()
	add := func(order frame.Order, at time.Time) {
		if order != 0 && !at.IsZero() {
			k.events = append(k.events, event{order, at})
		}
	}
	mark, _, err := SweepMarks.Get(tx)
	if err != nil && !s.Damaged.Note(err) && !machine.IsSetAside(err) {
		return k, err
	}
	k.since = event{mark.Order, mark.At}
	pool, _, err := Pool.Get(tx)
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return k, err
	}
	for f := range pool.AllFallbacks() {
		add(f.SupersededIn, f.Superseded)
	}
	err = each(tx, &Receipts, func(r session.Receipt) { add(r.Order(), r.Created().Time()) })
	if err == nil {
		err = each(tx, &Sessions, func(one session.Session) {
			add(one.CreatedIn(), one.Created().Time())
			add(one.ReceivedIn(), one.LastReceived().Time())
			if _, pruned := one.Pruned(); !pruned && max(one.CreatedIn(), one.ReceivedIn()) == 0 && one.Heard().Time().After(s.Now) {
				k.ahead = append(k.ahead, one.Peer())
			}
		})
	}
	if err == nil {
		err = each(tx, &Keys, func(one otk.Key) {
			_, at, _ := one.Used()
			add(one.UsedIn(), at)
		})
	}
	if err == nil {
		err = RefusedEvents.times(tx, add)
	}
	if err == nil {
		err = UnreadEvents.times(tx, add)
	}
	if err != nil {
		return k, err
	}
	at, err := s.Account.Moment(tx, a, 0)
	k.order = at.Order
	return k, err
}

// each calls f with every record that can be read.
func each[N, T any](tx *txn.Tx, r *txn.Record[N, T], f func(T)) error {
	for v, err := range r.Scan(tx) {
		switch {
		case machine.IsDamage(err), machine.IsSetAside(err):
		case err != nil:
			return err
		default:
			f(v)
		}
	}
	return nil
}

// apply writes what has another time than its own.
func (t truth) apply(ctx context.Context, s *Sweep) error {
	receipts := machine.Change[session.ReceiptID, session.Receipt]{
		Records: &Receipts, Each: receiptShare, Damaged: &s.Damaged,
		If: func(_ *txn.Tx, r session.Receipt) (bool, error) { return t.wrong(r.Order(), r.Created().Time()), nil },
		Do: func(tx *txn.Tx, r session.Receipt) error {
			return Receipts.Put(tx, r.Moved(t.of(event{r.Order(), r.Created().Time()})))
		},
	}
	if _, err := receipts.All(ctx, s.Account); err != nil {
		return err
	}
	sessions := machine.Change[SessionName, session.Session]{
		Records: &Sessions, Each: sessionShare, Damaged: &s.Damaged,
		If: func(_ *txn.Tx, one session.Session) (bool, error) {
			created, received, pruned := timesOf(one)
			return created.order != 0 && t.wrong(created.order, created.at) ||
				received.order != 0 && t.wrong(received.order, received.at) || t.wrong(pruned.order, pruned.at), nil
		},
		Do: func(tx *txn.Tx, one session.Session) error {
			created, received, pruned := timesOf(one)
			return Sessions.Put(tx, one.Moved(t.of(created), t.of(received), t.of(pruned)))
		},
	}
	if _, err := sessions.All(ctx, s.Account); err != nil {
		return err
	}
	keys := machine.Change[ratchet.PublicKey, otk.Key]{
		Records: &Keys, Each: keyShare, Damaged: &s.Damaged,
		If: func(_ *txn.Tx, k otk.Key) (bool, error) {
			_, at, _ := k.Used()
			return t.wrong(k.UsedIn(), at), nil
		},
		Do: func(tx *txn.Tx, k otk.Key) error {
			_, at, _ := k.Used()
			return Keys.Put(tx, k.Moved(t.of(event{k.UsedIn(), at})))
		},
	}
	if _, err := keys.All(ctx, s.Account); err != nil {
		return err
	}
	return s.Account.Do(ctx, func(tx *txn.Tx) error {
		if _, err := s.Account.Active(tx); err != nil {
			return err
		}
		if err := RefusedEvents.right(tx, t); err != nil {
			return err
		}
		if err := UnreadEvents.right(tx, t); err != nil {
			return err
		}
		return t.applyToPool(tx, s)
	})
}

func timesOf(s session.Session) (created, received, pruned event) {
	at, _ := s.Pruned()
	return event{s.CreatedIn(), s.Created().Time()}, event{s.ReceivedIn(), s.LastReceived().Time()}, event{at: at.Time()}
}

// wrong reports whether something has another time than it should have. What
// never happened has none.
func (t truth) wrong(order frame.Order, at time.Time) bool {
	return !at.IsZero() && !t.of(event{order, at}).Equal(frame.Time(at))
}

// applyToPool does so in the pool. Of what has no order there it knows only that
// it was not in the future.
func (t truth) applyToPool(tx *txn.Tx, s *Sweep) error {
	pool, stored, err := Pool.Get(tx)
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && !stored {
		return nil
	}
	if err != nil {
		return err
	}
	changed := false
	for f := range pool.AllFallbacks() {
		if t.wrong(f.SupersededIn, f.Superseded) {
			pool, changed = pool.Moved(f.ID, t.of(event{f.SupersededIn, f.Superseded})), true
		}
	}
	if pool.Ahead(s.Now) {
		pool, changed = pool.SetBack(s.Now), true
	}
	if !changed {
		return nil
	}
	return Pool.Put(tx, pool)
}
