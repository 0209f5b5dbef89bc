package todevice

import (
	"context"
	"errors"
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// splitAfter is how many attempts a batch may lose before it is halved: three,
// and two with a turn. Messages that are dear to reject (a gap of 2000 costs
// half a millisecond) could otherwise make a batch longer than a turn lasts,
// and a busy sender would keep it from ever being committed.
const splitAfter = 5

// errSplit ends an attempt at a batch that is to be tried in smaller parts.
var errSplit = errors.New("pawl: batch lost too often")

// What one message takes of a commit at most. It reads the account, its receipt,
// its peer with all sessions, and where it opens a session that session, the
// key and, if all else is missing, the pool; and it writes its receipt, the
// peer, its session, one that is pruned and the key.
const (
	messageChecks = session.MaxPerPeer + 8
	messageWrites = 5
)

// leastShare is what a message takes of a commit at least: its receipt.
var leastShare = machine.Share{Bytes: 256, Writes: 1, Checks: 1}

// Result is the answer to one message of a batch: a Decrypted or an error.
type Result struct {
	Decrypted
	Err error
}

// DecryptBatch decrypts messages in their order. When a commit fails, the
// results of the commits before it are returned with the error.
func (m *Messages) DecryptBatch(ctx context.Context, messages []Incoming) ([]Result, error) {
	results := make([]Result, 0, len(messages))
	for chunk := range slices.Chunk(messages, m.account.Store.PerCommit(leastShare)) {
		done, err := m.decryptChunk(ctx, chunk)
		results = append(results, done...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// decryptChunk decrypts messages in one commit, or in more if it takes no more,
// or if what they write is too large for one, or if they take so long that
// others always come first.
func (m *Messages) decryptChunk(ctx context.Context, messages []Incoming) (results []Result, err error) {
	for most := len(messages); len(results) < len(messages); {
		next := messages[len(results):]
		next = next[:min(most, len(next))]
		done, err := m.decryptSome(ctx, next)
		if half := len(next) / 2; half > 0 && (errors.Is(err, kv.ErrTooLarge) || errors.Is(err, errSplit)) {
			most = half
			continue
		}
		results = append(results, done...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// decryptSome decrypts the first of the messages in one commit: as many of them
// as it takes, at least one.
func (m *Messages) decryptSome(ctx context.Context, messages []Incoming) ([]Result, error) {
	all, results := parseAll(messages)
	return txn.Do(ctx, m.account.DB, func(tx *txn.Tx) ([]Result, error) {
		return m.decryptAll(tx, all, results)
	})
}

// parseAll returns the parsed messages, and results that hold the errors of
// those that could not be.
func parseAll(messages []Incoming) ([]parsed, []Result) {
	all := make([]parsed, len(messages))
	results := make([]Result, len(messages))
	for i, msg := range messages {
		all[i], results[i].Err = parse(msg)
	}
	return all, results
}

// decryptAll is one attempt. It leaves parseErrors as they are, for the next.
func (m *Messages) decryptAll(tx *txn.Tx, all []parsed, parseErrors []Result) ([]Result, error) {
	if tx.Attempt() > splitAfter && len(all) > 1 {
		return nil, errSplit
	}
	if err := m.prefetch(tx, all, parseErrors); err != nil {
		return nil, err
	}
	results := make([]Result, len(all))
	for i, in := range all {
		if i > 0 && !tx.Room(messageWrites, messageChecks) {
			return results[:i], nil
		}
		if results[i].Err = parseErrors[i].Err; results[i].Err != nil {
			continue
		}
		results[i].Decrypted, results[i].Err = m.decrypt(tx, in)
		if errors.Is(results[i].Err, machine.ErrNoAccount) {
			return nil, results[i].Err
		}
	}
	return results, nil
}

// prefetch reads all that the messages need in two round trips, or in one if
// all senders' sessions were hinted at.
func (m *Messages) prefetch(tx *txn.Tx, all []parsed, parseErrors []Result) error {
	refs := []txn.Ref{m.account.Ref()}
	var senders []ratchet.PublicKey // each once
	known := make(map[ratchet.PublicKey]bool)
	for i, in := range all {
		if parseErrors[i].Err != nil {
			continue
		}
		refs = append(refs, in.first()...)
		if !known[in.sender] {
			known[in.sender] = true
			senders = append(senders, in.sender)
			refs = append(refs, m.hinted(in.sender)...)
		}
	}
	if err := tx.Prefetch(refs...); err != nil {
		return err
	}
	refs = refs[:0]
	for _, sender := range senders {
		more, err := second(tx, sender)
		if err != nil {
			return err
		}
		refs = append(refs, more...)
	}
	return tx.Prefetch(refs...)
}
