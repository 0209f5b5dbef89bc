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
// its peer with all sessions, and where it opens a session that session, its
// mark, the key and, if all else is missing, the pool, and the key of one that is
// pruned; and it writes its receipt, the peer, its session, the key, and one that
// is pruned, with its mark, or damaged, with its copy.
const (
	messageChecks = session.MaxPerPeer + 10
	messageWrites = 6
)

// What one commit reads of sessions, which senders may have made large and many:
// those of one sender at least, and others as long as they are few. Whoever
// sends, a batch holds some megabytes of them, opened and written, at a time.
const (
	// fewSessions are asked for in one round trip: a megabyte at most.
	fewSessions = 128
	// enoughRead bytes are read before no more sessions are asked for. A
	// thousand senders with a session each need half of it.
	enoughRead = 1 << 20
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
	all := parseAll(messages)
	for most, likely := len(all), len(all); len(results) < len(all); {
		next := all[len(results):]
		next = next[:min(most, likely, len(next))]
		done, err := m.decryptSome(ctx, next)
		if half := len(next) / 2; half > 0 && (errors.Is(err, kv.ErrTooLarge) || errors.Is(err, errSplit)) {
			most = half
			continue
		}
		results = append(results, done...)
		if err != nil {
			return results, err
		}
		// What follows a commit that took no more is not read for nothing.
		likely = 2 * len(done)
	}
	return results, nil
}

// decryptSome decrypts the first of the messages in one commit: as many of them
// as it takes, at least one.
func (m *Messages) decryptSome(ctx context.Context, all []tried) ([]Result, error) {
	return txn.Do(ctx, m.account.DB, func(tx *txn.Tx) ([]Result, error) {
		return m.decryptAll(tx, all)
	})
}

// tried is a message of a batch, or the error of one that could not be parsed.
type tried struct {
	parsed
	err error
}

func parseAll(messages []Incoming) []tried {
	all := make([]tried, len(messages))
	for i, msg := range messages {
		all[i].parsed, all[i].err = parse(msg)
	}
	return all
}

// decryptAll is one attempt.
func (m *Messages) decryptAll(tx *txn.Tx, all []tried) ([]Result, error) {
	if tx.Attempt() > splitAfter && len(all) > 1 {
		return nil, errSplit
	}
	n, err := m.prefetch(tx, all)
	if err != nil {
		return nil, err
	}
	results := make([]Result, n)
	for i, in := range all[:n] {
		if i > 0 && !tx.Room(messageWrites, messageChecks) {
			return results[:i], nil
		}
		if results[i].Err = in.err; in.err != nil {
			continue
		}
		in.place = i
		results[i].Decrypted, results[i].Err = m.decrypt(tx, in.parsed)
		if errors.Is(results[i].Err, machine.ErrNoAccount) {
			return nil, results[i].Err
		}
	}
	return results, nil
}

// prefetch reads what the messages need, in two round trips, or in one if all
// senders' sessions were hinted at, or in more if they are many. It returns for
// how many of the messages: at least one.
func (m *Messages) prefetch(tx *txn.Tx, all []tried) (int, error) {
	if err := tx.Prefetch(m.names(all)...); err != nil {
		return 0, err
	}
	var refs []txn.Ref
	met := make(map[ratchet.PublicKey]bool)
	for i, in := range all {
		if in.err != nil {
			continue
		}
		more, alone := m.sessionOf(in.parsed)
		if !alone && !met[in.sender] {
			met[in.sender] = true
			sessions, err := second(tx, in.sender)
			if err != nil {
				return 0, err
			}
			more = append(more, sessions...)
		}
		if len(refs) > 0 && len(refs)+len(more) > fewSessions {
			if err := tx.Prefetch(refs...); err != nil {
				return 0, err
			}
			if tx.Fetched() > enoughRead {
				return i, nil
			}
			refs = refs[:0]
		}
		refs = append(refs, more...)
	}
	return len(all), tx.Prefetch(refs...)
}

// names returns what the first round trip reads: all that is known by name, but
// of sessions only a few.
func (m *Messages) names(all []tried) []txn.Ref {
	refs := []txn.Ref{m.account.Ref()}
	sessions := 0
	met := make(map[ratchet.PublicKey]bool)
	for _, in := range all {
		if in.err != nil {
			continue
		}
		refs = append(refs, m.first(in.parsed)...)
		more, alone := m.sessionOf(in.parsed)
		if !alone && !met[in.sender] {
			met[in.sender] = true
			more = append(more, m.hints.sessionsOf(in.sender)...)
		}
		if sessions += len(more); sessions <= fewSessions {
			refs = append(refs, more...)
		}
	}
	return refs
}
