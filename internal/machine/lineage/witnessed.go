package lineage

import (
	"context"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/txn"
)

// Watch is who is to witness a store.
type Watch int

const (
	Nobody       Watch = iota
	TheEngines         // what the engine keeps, unless another one witnesses the store
	TheEnginesOn       // what the engine keeps, from now on, whoever did before
	TheCallers
)

// witnessed is what a store knows of its witness beside the generation. Whoever
// witnesses it names the generation, which therefore is not new where it is missing.
type witnessed struct {
	By    uint8 // 0: nobody ever did
	Cause uint8 // with which all accounts are being marked; 0: they are not
}

const (
	byEngine = 1
	byCaller = 2
)

func (w Watch) by() uint8 {
	if w == TheCallers {
		return byCaller
	}
	return byEngine
}

// watches: the record witnessed, shared.
var watches = txn.Single[witnessed]{Kind: "witnessed", Codec: txn.Msgpack[witnessed](1), Shared: true}

const watchesKey = "_/witnessed"

// getGeneration reads the generation of a store, 0 if it never had a witness.
func getGeneration(tx *txn.Tx) (uint64, witnessed, error) {
	if err := tx.Prefetch(generations.Ref(), watches.Ref()); err != nil {
		return 0, witnessed{}, err
	}
	generation, known, err := generations.Get(tx)
	if err != nil {
		return 0, witnessed{}, err
	}
	w, _, err := watches.Get(tx)
	if err == nil && w.By != 0 && !known {
		err = machine.Corrupt("the store has a witness, and its generation is missing")
	}
	return generation, w, err
}

// putGeneration writes both records, unless they are there.
func putGeneration(tx *txn.Tx, generation uint64, by uint8) error {
	w, _, err := watches.Get(tx)
	if err != nil {
		return err
	}
	if w.By != by {
		w.By = by
		if err := watches.Put(tx, w); err != nil {
			return err
		}
	}
	if now, _, err := generations.Get(tx); err != nil || now == generation {
		return err
	}
	return generations.Put(tx, generation)
}

// setMarking notes that all accounts are being marked, or with no cause that all
// are. It takes several commits, after the first of which nobody else would find
// the cause. Where the note cannot be read all are marked at each opening.
func setMarking(tx *txn.Tx, cause account.Cause) error {
	w, _, err := watches.Get(tx)
	if machine.IsDamage(err) || err == nil && w.Cause == uint8(cause) {
		return nil
	}
	if err != nil {
		return err
	}
	w.Cause = uint8(cause)
	return watches.Put(tx, w)
}

// finishMarking marks the accounts that somebody was marking and did not come to.
func finishMarking(ctx context.Context, s *machine.Store) error {
	w, err := readWatch(ctx, s)
	if machine.IsDamage(err) || err == nil && w.Cause == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return requireRecovery(ctx, s, account.Cause(w.Cause))
}

func readWatch(ctx context.Context, s *machine.Store) (witnessed, error) {
	return txn.View(ctx, s.DB, func(tx *txn.Tx) (witnessed, error) {
		w, _, err := watches.Get(tx)
		return w, err
	})
}
