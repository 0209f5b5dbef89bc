package imports

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// What an item takes of a commit: a key its record, and what it adds to the pool; a
// session its own, its opener's and its peer's, and it looks for a mark.
var (
	keyShare     = machine.Share{Bytes: 512, Writes: 1, Checks: 1}
	sessionShare = machine.Share{Bytes: 11 << 10, Writes: 3, Checks: 4}
)

// importing is an import that is under way.
type importing struct {
	*plan
	store   *machine.Store
	account *machine.Account
	device  Device
}

// Plan says what an import of a device would put in, and changes nothing. Before is
// whether the account was imported already. The errors are those of Import.
func Plan(ctx context.Context, s *machine.Store, d Device) (Imported, error) {
	i, err := begin(ctx, s, d)
	if err != nil {
		return Imported{}, err
	}
	at, err := txn.View(ctx, i.account.DB, i.look)
	i.counts.Before, i.counts.NeedsRecovery = at.finished(), !d.Retired
	return i.counts, err
}

// PlanOf is Plan where there is no store yet.
func PlanOf(d Device, now time.Time) (Imported, error) {
	p, err := planOf(d, now)
	if err != nil {
		return Imported{}, err
	}
	p.counts.NeedsRecovery = !d.Retired
	return p.counts, nil
}

// Import puts a device into the store as an account of its own, in as many commits as
// the engine needs. Interrupted, it goes on when it is called again with the same
// device. Imported again, an account stays as it is; room keys are joined to what there
// is.
//
// It fails with ErrDevice, ErrBegun, otk.ErrExhausted, matrix.ErrUserID,
// matrix.ErrDeviceID, machine.ErrAccountExists (it was made here, or is another
// device), machine.ErrFormat1, account.ErrRetired, or as commits do.
func Import(ctx context.Context, s *machine.Store, d Device) (Imported, error) {
	i, err := begin(ctx, s, d)
	if err != nil {
		return Imported{}, err
	}
	at, err := txn.View(ctx, i.account.DB, i.look)
	if err == nil && !at.there {
		at, err = i.create(ctx)
	}
	if err != nil {
		return Imported{}, err
	}
	if at.finished() {
		i.counts = Imported{Before: true}
	} else if err := i.putAll(ctx); err != nil {
		return Imported{}, err
	}
	keys := make([]roomkeys.Import, len(d.RoomKeys))
	for n, k := range d.RoomKeys {
		keys[n] = roomkeys.Import(k)
	}
	if i.counts.RoomKeys, err = roomkeys.NewKeys(i.account).Restore(ctx, keys); err != nil {
		return i.counts, err
	}
	if !at.finished() {
		if err := i.putRest(ctx); err != nil {
			return i.counts, err
		}
	}
	i.counts.NeedsRecovery, err = txn.Do(ctx, i.account.DB, i.finish)
	return i.counts, err
}

func begin(ctx context.Context, s *machine.Store, d Device) (*importing, error) {
	p, err := planOf(d, s.Now())
	if err != nil {
		return nil, err
	}
	if s.Format(ctx) < kv.Format2 {
		return nil, machine.ErrFormat1
	}
	return &importing{plan: p, store: s, account: s.Account(d.Name), device: d}, nil
}

// standing is how far the import of an account has come.
type standing struct {
	there bool // the account is
	v     account.Account
	mark  records.Import
	lost  bool // the mark was damaged, and is set aside
}

func (s standing) finished() bool { return s.there && (s.lost || !s.mark.Finished.IsZero()) }

// look reads how far the import has come, and whether it is this one.
func (i *importing) look(tx *txn.Tx) (at standing, err error) {
	if err := tx.Prefetch(i.account.Ref(), records.Imports.Ref()); err != nil {
		return at, err
	}
	at.v, err = i.account.Active(tx)
	if errors.Is(err, machine.ErrNoAccount) {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	at.there = true
	if at.v.Identity() != i.plan.account.Identity() || at.v.Fingerprint() != i.plan.account.Fingerprint() {
		return at, fmt.Errorf("%w, with other keys: %s", machine.ErrAccountExists, i.account.Name)
	}
	var imported bool
	at.mark, imported, err = records.Imports.Get(tx)
	at.lost = machine.IsSetAside(err)
	switch {
	case at.lost:
		return at, nil
	case err != nil:
		return at, err
	case !imported:
		return at, fmt.Errorf("%w: %s", machine.ErrAccountExists, i.account.Name)
	case at.mark.Finished.IsZero() && at.mark.Digest != i.device.Digest:
		return at, fmt.Errorf("%w (%s): give that again", ErrBegun, at.mark.Program)
	}
	return at, nil
}

// create makes the account, which sends nothing before the import is finished, with an
// empty pool. Nothing is known of what the server has.
func (i *importing) create(ctx context.Context) (standing, error) {
	now := i.store.Now()
	made := i.plan.account.RequireRecovery(account.Copied, now)
	mark := records.Import{Program: i.device.Program, Digest: i.device.Digest, Generation: i.store.Generation, Begun: now}
	err := i.store.Add(ctx, made, func(tx *txn.Tx) error {
		pool, err := otk.NewPool().Import(i.last, nil, nil, now)
		if err == nil {
			err = records.Pool.Put(tx, pool)
		}
		if err == nil {
			err = records.UploadStates.Put(tx, records.Uploads{})
		}
		if err == nil {
			err = records.Imports.Put(tx, mark)
		}
		return err
	})
	if errors.Is(err, machine.ErrAccountExists) { // somebody else has begun meanwhile
		return txn.View(ctx, i.account.DB, i.look)
	}
	return standing{there: true, v: made, mark: mark}, err
}

// putAll puts in what is not there yet.
func (i *importing) putAll(ctx context.Context) error {
	for {
		more, err := txn.Do(ctx, i.account.DB, i.putSome)
		if err != nil || !more {
			return err
		}
	}
}

// putSome puts in as much as one commit takes, and reports whether there is more.
func (i *importing) putSome(tx *txn.Tx) (more bool, err error) {
	at, err := i.look(tx)
	if err != nil || at.finished() || at.mark.Done >= uint64(len(i.items)) {
		return false, err
	}
	rest := i.items[at.mark.Done:]
	n := 0
	if rest[0].isSession() {
		n, err = i.putSessions(tx, at, rest)
	} else {
		n, err = i.putKeys(tx, at, rest)
	}
	if err != nil {
		return false, err
	}
	at.mark.Done += uint64(n)
	return at.mark.Done < uint64(len(i.items)), records.Imports.Put(tx, at.mark)
}

// putKeys puts keys in, and into the pool with them.
func (i *importing) putKeys(tx *txn.Tx, at standing, rest []item) (n int, err error) {
	pool, err := records.PoolOf(tx, i.account)
	if err != nil {
		return 0, err
	}
	var entries []otk.Entry
	var fallbacks []otk.Fallback
	for _, one := range rest[:min(len(rest), i.store.PerCommit(keyShare))] {
		if one.isSession() {
			break
		}
		if one.fallback != nil {
			fallbacks = append(fallbacks, *one.fallback)
		} else {
			entries = append(entries, one.entry)
		}
		if err := records.Keys.Put(tx, one.key); err != nil {
			return 0, err
		}
		n++
	}
	if pool, err = pool.Import(i.last, entries, fallbacks, i.store.Now()); err != nil {
		return 0, err
	}
	return n, records.Pool.Put(tx, pool)
}

// putSessions puts sessions in, with what is left of the keys that opened them.
func (i *importing) putSessions(tx *txn.Tx, at standing, rest []item) (n int, err error) {
	rest = rest[:min(len(rest), i.store.PerCommit(sessionShare))]
	var refs []txn.Ref
	for _, one := range rest {
		name := records.Sessions.Name(one.session)
		refs = append(refs, records.Peers.Ref(name.Peer), records.Sessions.Ref(name), records.Marks.Ref(name.ID))
	}
	if err := tx.Prefetch(refs...); err != nil {
		return 0, err
	}
	for _, one := range rest {
		if err := i.putSession(tx, at, one); err != nil {
			return 0, err
		}
	}
	return len(rest), nil
}

func (i *importing) putSession(tx *txn.Tx, at standing, one item) error {
	s := one.session
	if _, needed := at.v.NeedsRecovery(); !needed {
		// Somebody has recovered the account meanwhile, and this would send again.
		s = s.StopSending()
	}
	if one.opener != nil {
		if err := records.Keys.Put(tx, *one.opener); err != nil {
			return err
		}
	}
	name := records.Sessions.Name(s)
	_, there, err := records.Sessions.Get(tx, name)
	if there || machine.IsSetAside(err) {
		return nil // the peer's first message came again, and opened it
	}
	if err != nil {
		return err
	}
	if _, marked, err := records.Marks.Get(tx, name.ID); marked || err != nil && !machine.IsSetAside(err) {
		return err
	}
	peer, known, err := records.Peers.Get(tx, name.Peer)
	if machine.IsSetAside(err) || err == nil && !known {
		peer, err = session.NewPeer(name.Peer), nil
	}
	if err != nil {
		return err
	}
	peer, err = peer.Rated(session.Acquainted).Add(name.ID)
	if errors.Is(err, session.ErrFull) {
		return nil // of newer sessions, which the peer has opened meanwhile
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, name.Peer)
	}
	if err := records.Peers.Put(tx, peer); err != nil {
		return err
	}
	return records.Sessions.Put(tx, s)
}

// finish ends the import: there is a new fallback key, since others may have the old
// one's private part, and the account may send if its program never runs again. It
// reports whether the account needs to be recovered first.
func (i *importing) finish(tx *txn.Tx) (needsRecovery bool, err error) {
	at, err := i.look(tx)
	if err != nil {
		return false, err
	}
	why, needed := at.v.NeedsRecovery()
	if at.finished() {
		return needed, nil
	}
	now := i.store.Now()
	pool, err := records.PoolOf(tx, i.account)
	if err != nil {
		return false, err
	}
	if pool, err = records.ReplaceFallback(tx, i.account, pool, now); err != nil {
		return false, err
	}
	if err := records.Pool.Put(tx, pool); err != nil {
		return false, err
	}
	if err := i.begin(tx); err != nil {
		return false, err
	}
	if at.mark.Finished = now; now.UnixMilli() <= 0 {
		at.mark.Finished = time.UnixMilli(1) // a broken clock must not leave the mark out
	}
	if err := records.Imports.Put(tx, at.mark); err != nil {
		return false, err
	}
	// A store that went back in time since the import began may have sent more.
	if needed && i.device.Retired && why.Cause == account.Copied && i.store.Generation == at.mark.Generation {
		return false, machine.Accounts.Put(tx, at.v.Recovered(at.v.Lineage().KeysFrom))
	}
	return needed, nil
}

// begin lets syncs go on where the program's would have, unless there was one already.
func (i *importing) begin(tx *txn.Tx) error {
	s, err := records.ReadSync(tx)
	if err != nil || i.device.Since == "" || s.Since != "" {
		return err
	}
	s.Since = i.device.Since
	return records.Sync.Put(tx, s)
}
