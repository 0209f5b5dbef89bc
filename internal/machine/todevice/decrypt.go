package todevice

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Errors of decrypting; see package pawl.
var (
	ErrUnknownSession    = errors.New("pawl: no session with this sender")
	ErrUnknownOneTimeKey = errors.New("pawl: the pre-key message names a one-time key that is not ours")
	ErrAlreadyProcessed  = errors.New("pawl: message was already processed and acknowledged")
	ErrUntried           = errors.New("pawl: message is too far ahead to be tried in all sessions with its sender")
)

// UndecryptableError says that none of the sessions with the sender decrypts a
// message. Err is of the session that most likely should have.
type UndecryptableError struct {
	Sender ratchet.PublicKey
	Tried  int // sessions
	Err    error
}

// Error implements error.
func (e *UndecryptableError) Error() string {
	return fmt.Sprintf("pawl: none of %d sessions with %s decrypts the message: %v", e.Tried, e.Sender, e.Err)
}

// Unwrap returns the session's error.
func (e *UndecryptableError) Unwrap() error { return e.Err }

// Decrypted is the answer to a message; see package pawl.
type Decrypted struct {
	secret.Guard // the plaintext is not for logs
	Plaintext    []byte
	Duplicate    bool // answered before
	Session      ratchet.SessionID
	Receipt      session.ReceiptID
	Damaged      int // records of the sender that were passed over
	// Reopened: the message opened its session, and the peer had others before.
	Reopened bool
}

// Decrypt decrypts a message.
func (m *Messages) Decrypt(ctx context.Context, message Incoming) (Decrypted, error) {
	in, err := parse(message)
	if err != nil {
		return Decrypted{}, err
	}
	return txn.Do(ctx, m.account.DB, func(tx *txn.Tx) (Decrypted, error) {
		refs, alone := m.sessionOf(in)
		if !alone {
			refs = append(refs, m.hints.sessionsOf(in.sender)...)
		}
		if err := tx.Prefetch(slices.Concat(refs, m.first(in), []txn.Ref{m.account.Ref()})...); err != nil {
			return Decrypted{}, err
		}
		return m.decrypt(tx, in)
	})
}

func (m *Messages) decrypt(tx *txn.Tx, in parsed) (Decrypted, error) {
	a, err := m.account.Active(tx)
	if err != nil {
		return Decrypted{}, err
	}
	if a.Identity() == in.sender {
		return Decrypted{}, ErrSelf
	}
	// Under every name that this very message may have been stored by.
	receipts, err := records.Receipts.GetAll(tx, in.receipts(m.learn(a))...)
	if err != nil {
		return Decrypted{}, err
	}
	for _, r := range receipts {
		switch {
		case machine.IsSetAside(r.Err):
			return Decrypted{}, fmt.Errorf("%w: %w", ErrAlreadyProcessed, r.Err)
		case r.Err != nil:
			return Decrypted{}, r.Err
		case r.OK:
			return fromReceipt(r.Value, in)
		}
	}
	return m.decryptNew(tx, a, in)
}

// fromReceipt answers a message that was decrypted before.
func fromReceipt(r session.Receipt, in parsed) (Decrypted, error) {
	key, kept := r.Key()
	if !kept {
		return Decrypted{}, ErrAlreadyProcessed
	}
	plaintext, err := key.Open(in.normal)
	switch {
	case errors.Is(err, ratchet.ErrMAC) && !r.Named1():
		// What the receipt's name does not tell is whether the MAC is that of the
		// message that was decrypted.
		return Decrypted{}, &UndecryptableError{in.sender, 1, fmt.Errorf("%w, %w", err, errKnown)}
	case err != nil:
		return Decrypted{}, machine.Corrupt("receipt %s does not open its message", r.ID())
	}
	return Decrypted{Plaintext: plaintext, Duplicate: true, Session: r.Session(), Receipt: r.ID()}, nil
}

// decryptNew decrypts a message that has no receipt and writes what changes.
func (m *Messages) decryptNew(tx *txn.Tx, a account.Account, in parsed) (Decrypted, error) {
	d, tried, err := m.inOne(tx, a, in)
	if tried.decrypts || err != nil {
		return d, err
	}
	c, err := m.contact(tx, in.sender)
	if err != nil {
		return Decrypted{}, err
	}
	at, err := m.moment(tx, a, c, in.place)
	if err != nil {
		return Decrypted{}, err
	}
	s, plaintext, err := m.step(tx, a, c, in, tried, at)
	if err != nil {
		return Decrypted{}, err
	}
	d, err = m.stored(tx, in, s, plaintext, at)
	d.Damaged = len(c.Damages())
	d.Reopened = c.Known && !c.Peer.Has(s.ID())
	return d, err
}

// stored writes the receipt of a message that was decrypted in a session.
func (m *Messages) stored(tx *txn.Tx, in parsed, s session.Session, plaintext ratchet.Plaintext, at session.Moment) (Decrypted, error) {
	id := in.receipt
	if at.Order == 0 {
		id = in.receipt1
	}
	m.hints.used(s)
	d := Decrypted{Plaintext: plaintext.Bytes, Session: s.ID(), Receipt: id}
	return d, records.Receipts.Put(tx, session.NewReceipt(id, s.ID(), plaintext.Key, at))
}

// attempt is what became of a message in the one session that it is likely of.
type attempt struct {
	session  ratchet.SessionID // the zero one: there was none
	decrypts bool
	err      error
}

// inOne decrypts a message in the session that a hint names, and reads no other:
// what decrypts authentically is of that session, whatever else there is. All
// else is left to who looks at all of them, damage too.
func (m *Messages) inOne(tx *txn.Tx, a account.Account, in parsed) (Decrypted, attempt, error) {
	id, how := m.hints.sessionFor(in)
	if !a.Raised() || how == unknown { // in format 1 times are an order that hangs on all of them
		return Decrypted{}, attempt{}, nil
	}
	s, known, err := records.Sessions.Get(tx, records.SessionName{Peer: in.sender, ID: id})
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && !known {
		return Decrypted{}, attempt{}, nil
	}
	if err != nil {
		return Decrypted{}, attempt{}, err
	}
	state, err := s.Ratchet()
	if err != nil || !s.Knows(in.normal.RatchetKey) && state.Steps(in.normal) > fewSteps {
		return Decrypted{}, attempt{}, nil
	}
	next, plaintext, err := decryptIn(tx, state, in.normal)
	if err != nil {
		return Decrypted{}, attempt{session: id, err: err}, nil
	}
	at, err := m.account.Moment(tx, a, in.place)
	if err != nil {
		return Decrypted{}, attempt{}, err
	}
	s = s.Received(next, at)
	if err := records.Sessions.Put(tx, s); err != nil {
		return Decrypted{}, attempt{}, err
	}
	d, err := m.stored(tx, in, s, plaintext, at)
	return d, attempt{session: id, decrypts: true}, err
}

// fewSteps is how many steps a session that does not know a message's chain is
// tried for before it is known that none does: so few that all are tried.
const fewSteps = session.MaxSteps / session.MaxPerPeer

func decryptIn(tx *txn.Tx, state ratchet.Session, m ratchet.NormalMessage) (ratchet.Session, ratchet.Plaintext, error) {
	probe := tx.Probe()
	began := probe.Begin()
	defer func() { probe.End(txn.Computing, began) }()
	return state.Decrypt(m)
}

// step decrypts a message in one of the sessions that there are, or in the one
// that it opens.
func (m *Messages) step(tx *txn.Tx, a account.Account, c records.Contact, in parsed, tried attempt, at session.Moment) (session.Session, ratchet.Plaintext, error) {
	if in.preKey == nil {
		return m.receive(tx, c, in, tried, at)
	}
	s, has, err := c.Find(in.session)
	switch {
	case err != nil:
		return s, ratchet.Plaintext{}, err
	case has:
		stepped, plaintext, err := m.try(tx, c, in, []session.Session{s}, tried, at)
		if err != nil && outgrewFirst(s, in.normal) {
			err = &UndecryptableError{in.sender, 1, ratchet.ErrKeyGone}
		}
		return stepped, plaintext, err
	}
	return m.open(tx, a, c, in, at)
}

// outgrewFirst reports whether a pre-key message of a session is older than all chains
// that the session has: such messages are all of its first chain.
func outgrewFirst(s session.Session, m ratchet.NormalMessage) bool {
	state, err := s.Ratchet()
	return err == nil && !s.Knows(m.RatchetKey) && len(state.ReceiverChains()) == ratchet.MaxReceiverChains
}

// receive decrypts a normal message in the session that can, and stores it.
func (m *Messages) receive(tx *txn.Tx, c records.Contact, in parsed, tried attempt, at session.Moment) (session.Session, ratchet.Plaintext, error) {
	candidates, left := session.Candidates(c.Sessions, in.normal, tried.session)
	s, plaintext, err := m.try(tx, c, in, candidates, tried, at)
	var failed *UndecryptableError
	switch none := errors.As(err, &failed); {
	case none && slices.ContainsFunc(c.Sessions, func(s session.Session) bool { return s.Outgrew(in.normal.RatchetKey) }):
		failed.Err = ratchet.ErrKeyGone
	case (none || errors.Is(err, ErrUnknownSession)) && mayBeOfBroken(c, candidates, in.normal):
		err = fmt.Errorf("pawl: the message may be of a session that cannot be read: %w", c.Damages()[0])
	case none && left > 0:
		// One of those that are left may be the message's: what the others say
		// of it is no answer.
		err = fmt.Errorf("%w: tried in %d of %d with %s", ErrUntried, failed.Tried, failed.Tried+left, in.sender)
	}
	return s, plaintext, err
}

// mayBeOfBroken reports whether a message that none of the candidates decrypts
// may be of a session that cannot be read: there is one, and none of the
// candidates knows the message's chain. Damage is never a sign that the peer
// has lost its session.
func mayBeOfBroken(c records.Contact, candidates []session.Session, m ratchet.NormalMessage) bool {
	if c.Lost == nil && len(c.Broken) == 0 {
		return false
	}
	if len(candidates) == 0 {
		return true
	}
	first, err := candidates[0].Ratchet() // those that know the chain come first
	return err != nil || !first.HasReceiverChain(m.RatchetKey)
}

// again is the attempt in another session, or what came of it in the same.
func (t attempt) again(tx *txn.Tx, s session.Session, m ratchet.NormalMessage) (ratchet.Session, ratchet.Plaintext, error) {
	if s.ID() == t.session {
		return ratchet.Session{}, ratchet.Plaintext{}, t.err
	}
	state, err := s.Ratchet()
	if err != nil {
		return ratchet.Session{}, ratchet.Plaintext{}, err
	}
	return decryptIn(tx, state, m)
}

// try decrypts in the first of the candidates that can, and stores it.
func (m *Messages) try(tx *txn.Tx, c records.Contact, in parsed, candidates []session.Session, tried attempt, at session.Moment) (session.Session, ratchet.Plaintext, error) {
	var first error
	for _, s := range candidates {
		next, plaintext, err := tried.again(tx, s, in.normal)
		if err == nil {
			if !s.Knows(in.normal.RatchetKey) && session.Known(c.Sessions, in.normal.RatchetKey) {
				return s, ratchet.Plaintext{}, session.ErrRatchetKey
			}
			s = s.Received(next, at)
			return s, plaintext, records.Sessions.Put(tx, s)
		}
		// The first candidate knows the message's chain, if any does: its error
		// says most.
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return session.Session{}, ratchet.Plaintext{}, fmt.Errorf("%w: %s", ErrUnknownSession, in.sender)
	}
	return session.Session{}, ratchet.Plaintext{}, &UndecryptableError{in.sender, len(candidates), first}
}

// open opens the session of a pre-key message and consumes its one-time key,
// both in this transaction.
func (m *Messages) open(tx *txn.Tx, a account.Account, c records.Contact, in parsed, at session.Moment) (session.Session, ratchet.Plaintext, error) {
	key, err := m.keyFor(tx, in)
	if err != nil {
		return session.Session{}, ratchet.Plaintext{}, err
	}
	if session.Known(c.Sessions, in.normal.RatchetKey) {
		return session.Session{}, ratchet.Plaintext{}, session.ErrRatchetKey
	}
	probe := tx.Probe()
	began := probe.Begin()
	opened, err := a.OpenInbound(key, in.sender, *in.preKey, at)
	probe.End(txn.Computing, began)
	if used := (*otk.UsedError)(nil); errors.As(err, &used) && used.Session == in.session {
		err = fmt.Errorf("%w, %w", err, errOwnKey)
	}
	if err != nil {
		return session.Session{}, ratchet.Plaintext{}, err
	}
	if err := m.add(tx, a, c, opened.Session); err != nil {
		return session.Session{}, ratchet.Plaintext{}, err
	}
	switch {
	case !key.Fallback():
		err = records.Keys.Put(tx, opened.Key)
	case a.Raised(): // in format 1 nothing is kept of uploads
		err = records.FallbackOpened(tx, key.ID())
	}
	return opened.Session, opened.Plaintext, err
}

// keyFor returns the one-time or fallback key that a pre-key message of an
// unknown session names.
func (m *Messages) keyFor(tx *txn.Tx, in parsed) (otk.Key, error) {
	old, known, err := records.Sessions.Get(tx, records.SessionName{Peer: in.sender, ID: in.session})
	if machine.IsSetAside(err) {
		err = fmt.Errorf("%w: %s: %w", session.ErrPruned, in.session, err)
	}
	if err != nil {
		return otk.Key{}, err
	}
	if known {
		if _, pruned := old.Pruned(); pruned {
			return otk.Key{}, fmt.Errorf("%w: %s", session.ErrPruned, in.session)
		}
		return otk.Key{}, machine.Corrupt("session %s with %s is not listed by its peer", in.session, in.sender)
	}
	_, marked, err := records.Marks.Get(tx, in.session)
	switch {
	case err != nil && !machine.IsSetAside(err):
		return otk.Key{}, err
	case err != nil, marked:
		return otk.Key{}, fmt.Errorf("%w: %s", session.ErrPruned, in.session)
	}
	key, ours, err := records.Keys.Get(tx, in.preKey.OneTimeKey)
	switch {
	case machine.IsSetAside(err):
		return key, fmt.Errorf("%w: %s: %w", ErrUnknownOneTimeKey, in.preKey.OneTimeKey, err)
	case err != nil:
		return key, err
	case !ours:
		return key, foreignKey(tx, in.preKey.OneTimeKey)
	}
	return key, m.checkUsed(tx, key, in.session)
}

// checkUsed tells a key that was used by another session from one whose session
// was lost. A tombstone may outlive that of its session while both are swept.
func (m *Messages) checkUsed(tx *txn.Tx, key otk.Key, opens ratchet.SessionID) error {
	by, at, used := key.Used()
	if !used || by != opens || m.account.Store.Now().Sub(at) >= session.ReceiptLife {
		return nil
	}
	known, err := records.IsMissed(tx, opens)
	switch {
	case err != nil:
		return err
	case known:
		return fmt.Errorf("%w: %s", session.ErrPruned, opens)
	}
	return machine.Corrupt("session %s, which the one-time key %s opened, is missing", opens, key.Public())
}

// foreignKey tells a key that was never ours, or is forgotten, from one whose
// record was lost.
func foreignKey(tx *txn.Tx, public ratchet.PublicKey) error {
	pool, err := records.ReadPool(tx)
	if err != nil {
		return err
	}
	for e := range pool.Entries() {
		if e.Public == public {
			return machine.Corrupt("the pool names one-time key %s, which is missing", public)
		}
	}
	for f := range pool.AllFallbacks() {
		if f.Public == public {
			return machine.Corrupt("the pool names fallback key %s, which is missing", public)
		}
	}
	return fmt.Errorf("%w: %s", ErrUnknownOneTimeKey, public)
}

// Acknowledge erases the message keys that receipts keep, and returns how many of
// them there are.
func (m *Messages) Acknowledge(ctx context.Context, ids ...session.ReceiptID) (known int, err error) {
	return records.AcknowledgeReceipts(ctx, m.account, ids)
}
