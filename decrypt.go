package pawl

import (
	"context"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Decrypted is the answer to a message.
type Decrypted struct {
	secret.Guard // the plaintext is not for logs
	Plaintext    []byte
	// Duplicate tells that the message was answered before, perhaps to a
	// process that died. It is information only: the plaintext is the same and
	// may be acted on either way. Of all answers to one message at most one is
	// not marked.
	Duplicate bool
	Session   ratchet.SessionID
	// Receipt is for Acknowledge.
	Receipt session.ReceiptID
}

// Decrypt decrypts a message. The plaintext is returned only after the step,
// the message's receipt and the use of a one-time key are durable, all in one
// commit. A message that was decrypted before is answered from its receipt.
//
// Errors, none of which changes anything:
//
//   - of the message: ErrMessageType, ratchet.ErrMalformed, ratchet.ErrVersion,
//     account.ErrSender, ErrSelf;
//   - of its key: ErrUnknownOneTimeKey, otk.ErrUsed, ratchet.ErrZeroSecret;
//   - of its session: ErrUnknownSession, session.ErrPruned, and an
//     [UndecryptableError] that wraps ratchet.ErrMAC, ratchet.ErrKeyGone,
//     ratchet.ErrGap, ratchet.ErrUnknownChain or ratchet.ErrExhausted;
//   - ErrAlreadyProcessed;
//   - of the account: account.ErrRetired.
func (m *Machine) Decrypt(ctx context.Context, sender ratchet.PublicKey, msg ratchet.Message) (Decrypted, error) {
	in, err := parse(Incoming{sender, msg})
	if err != nil {
		return Decrypted{}, err
	}
	return txn.Do(ctx, m.db, func(tx *txn.Tx) (Decrypted, error) {
		refs := append(in.first(), m.accountRef())
		if err := tx.Prefetch(append(refs, m.hints.of(sender)...)...); err != nil {
			return Decrypted{}, err
		}
		return m.decrypt(tx, in)
	})
}

func (m *Machine) decrypt(tx *txn.Tx, in incoming) (Decrypted, error) {
	a, err := m.active(tx)
	if err != nil {
		return Decrypted{}, err
	}
	if a.Identity() == in.sender {
		return Decrypted{}, ErrSelf
	}
	receipt, seen, err := receipts.Get(tx, in.receipt)
	if err != nil {
		return Decrypted{}, err
	}
	if seen {
		return again(receipt, in)
	}
	return m.decryptNew(tx, a, in)
}

// again answers a message from its receipt.
func again(r session.Receipt, in incoming) (Decrypted, error) {
	key, kept := r.Key()
	if !kept {
		return Decrypted{}, ErrAlreadyProcessed
	}
	plaintext, err := key.Open(in.normal)
	if err != nil {
		return Decrypted{}, corrupt("receipt %s does not open its message", in.receipt)
	}
	return Decrypted{Plaintext: plaintext, Duplicate: true, Session: r.Session(), Receipt: in.receipt}, nil
}

// decryptNew decrypts a message that has no receipt and writes what changes.
func (m *Machine) decryptNew(tx *txn.Tx, a account.Account, in incoming) (Decrypted, error) {
	c, err := m.contact(tx, in.sender)
	if err != nil {
		return Decrypted{}, err
	}
	now := session.NextStamp(m.now(), c.stamps(a)...).Time()
	var plaintext ratchet.Plaintext
	var s session.Session
	switch {
	case in.preKey == nil:
		s, plaintext, err = m.receive(tx, in, session.Candidates(c.sessions, in.normal), now)
	case c.peer.Has(in.session):
		if s, err = c.find(in.session); err == nil {
			s, plaintext, err = m.receive(tx, in, []session.Session{s}, now)
		}
	default:
		s, plaintext, err = m.open(tx, a, c, in, now)
	}
	if err != nil {
		return Decrypted{}, err
	}
	receipt := session.NewReceipt(in.receipt, s.ID(), plaintext.Key, now)
	if err := receipts.Put(tx, receipt); err != nil {
		return Decrypted{}, err
	}
	return Decrypted{Plaintext: plaintext.Bytes, Session: s.ID(), Receipt: in.receipt}, nil
}

// receive decrypts in the first of the candidates that can, and stores it.
func (m *Machine) receive(tx *txn.Tx, in incoming, candidates []session.Session, now time.Time) (session.Session, ratchet.Plaintext, error) {
	var first error
	for _, s := range candidates {
		state, err := s.Ratchet()
		if err != nil {
			return s, ratchet.Plaintext{}, err
		}
		probe := tx.Probe()
		began := probe.Begin()
		next, plaintext, err := state.Decrypt(in.normal)
		probe.End(txn.Computing, began)
		if err == nil {
			s = s.Received(next, now)
			return s, plaintext, sessions.Put(tx, s)
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
func (m *Machine) open(tx *txn.Tx, a account.Account, c contact, in incoming, now time.Time) (session.Session, ratchet.Plaintext, error) {
	key, err := m.keyFor(tx, in)
	if err != nil {
		return session.Session{}, ratchet.Plaintext{}, err
	}
	probe := tx.Probe()
	began := probe.Begin()
	opened, err := a.OpenInbound(key, in.sender, *in.preKey, now)
	probe.End(txn.Computing, began)
	if err != nil {
		return session.Session{}, ratchet.Plaintext{}, err
	}
	if err := m.add(tx, c, opened.Session); err != nil {
		return session.Session{}, ratchet.Plaintext{}, err
	}
	if !key.Fallback() {
		err = keys.Put(tx, opened.Key)
	}
	return opened.Session, opened.Plaintext, err
}

// keyFor returns the one-time or fallback key that a pre-key message of an
// unknown session names.
func (m *Machine) keyFor(tx *txn.Tx, in incoming) (otk.Key, error) {
	old, known, err := sessions.Get(tx, sessionName{in.sender, in.session})
	if err != nil {
		return otk.Key{}, err
	}
	if known {
		if _, pruned := old.Pruned(); pruned {
			return otk.Key{}, fmt.Errorf("%w: %s", session.ErrPruned, in.session)
		}
		return otk.Key{}, corrupt("session %s with %s is not listed by its peer", in.session, in.sender)
	}
	public := in.preKey.OneTimeKey
	key, ours, err := keys.Get(tx, public)
	if err != nil || ours {
		return key, err
	}
	return key, m.checkForeignKey(tx, public)
}

// checkForeignKey tells a key that was never ours, or is forgotten, from one
// whose record was lost.
func (m *Machine) checkForeignKey(tx *txn.Tx, public ratchet.PublicKey) error {
	pool, _, err := pools.Get(tx)
	if err != nil {
		return err
	}
	for e := range pool.Entries() {
		if e.Public == public {
			return corrupt("the pool names one-time key %s, which is missing", public)
		}
	}
	current, previous := pool.Fallbacks()
	if current.ID != 0 && current.Public == public || previous.ID != 0 && previous.Public == public {
		return corrupt("the pool names fallback key %s, which is missing", public)
	}
	return fmt.Errorf("%w: %s", ErrUnknownOneTimeKey, public)
}
