package todevice

import (
	"context"
	"errors"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/parallel"
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

// MessageShare is what one message takes of a commit at most. It reads the account, its receipt,
// its peer with all sessions, and where it opens a session that session, its
// mark, the key and, if all else is missing, the pool, and the key of one that is
// pruned; and it writes its receipt, the peer, its session, the key, and one that
// is pruned, with its mark, or damaged, with its copy.
var MessageShare = machine.Share{Writes: 6, Checks: session.MaxPerPeer + 10}

// What one commit reads of sessions, which senders may have made large and many:
// those of one sender at least, and others as long as they are few. Whoever
// sends, a batch holds some megabytes of them, opened and written, at a time.
const (
	// fewSessions are asked for in one round trip: a megabyte at most.
	fewSessions = 128
	// maxRun messages are decrypted before anything is done with the first of them.
	maxRun = 128
	// enoughRead bytes are read before no more sessions are asked for. A
	// thousand senders with a session each need half of it.
	enoughRead = 1 << 20
)

// leastShare is what a message takes of a commit at least: its receipt.
var leastShare = machine.Share{Bytes: 256, Writes: 1, Checks: 1}

// Result is the answer to one message of a batch: a Decrypted or an error.
type Result struct {
	Decrypted
	Err   error
	Place int // in its commit; see [machine.Account.Moment]
}

// Letter is one of what [DecryptWith] goes through.
type Letter struct {
	Incoming
	Plain bool      // it is no message, and has its place among them
	Reads []txn.Ref // what Each looks at, as far as it can be named before
}

// With is what is done beside decrypting, in the same commits.
type With[T any] struct {
	// Before, if there is one, is called with each message before it is decrypted.
	// Its error is the message's answer, and keeps it from being decrypted.
	Before func(tx *txn.Tx, letter int) error
	// Apart, if there is one, reports that neither Before nor decrypting a letter hangs
	// on what Each does with those before it: then it may be decrypted before that.
	Apart func(tx *txn.Tx, letter int) bool
	// Ahead, if there is one, is called with some letters' results before Each is called
	// with each of them: it reads at once what all of them will look at.
	Ahead func(tx *txn.Tx, letter int, results []Result) error
	// Each is called with each letter in turn, after it was decrypted; Result is
	// zero but for its place for one that is plain. What it returns leaves with
	// the commit, and an error ends the call. It may run more than once.
	Each func(tx *txn.Tx, letter int, r Result) (T, error)
	// Writes and Checks are what Each takes of a commit at most.
	Writes, Checks int
	// Last, if there is one, is called in the commit of the last letter, which
	// need not take it: who has to know says so in Tx.OnCommit. An error ends the
	// call.
	Last func(tx *txn.Tx) error
	// LastReads is what Last looks at, as far as it can be named before.
	LastReads []txn.Ref
}

// DecryptBatch decrypts messages in their order. When a commit fails, the
// results of the commits before it are returned with the error.
func (m *Messages) DecryptBatch(ctx context.Context, messages []Incoming) ([]Result, error) {
	letters := make([]Letter, len(messages))
	for i, in := range messages {
		letters[i].Incoming = in
	}
	each := func(_ *txn.Tx, _ int, r Result) (Result, error) {
		if errors.Is(r.Err, machine.ErrNoAccount) {
			return r, r.Err
		}
		return r, nil
	}
	return DecryptWith(ctx, m, letters, With[Result]{Each: each})
}

// DecryptWith decrypts messages in their order, in as many commits as the engine
// needs, and does something more in the commit of each. When a commit fails, what
// those before it returned is returned with the error.
func DecryptWith[T any](ctx context.Context, m *Messages, letters []Letter, w With[T]) ([]T, error) {
	b := batch[T]{Messages: m, With: w, out: make([]T, 0, len(letters))}
	for len(b.out) < len(letters) {
		chunk := letters[len(b.out):]
		chunk = chunk[:min(len(chunk), m.account.Store.PerCommit(leastShare))]
		if err := b.decryptChunk(ctx, chunk, len(b.out)+len(chunk) == len(letters)); err != nil {
			return b.out, err
		}
	}
	return b.out, nil
}

// batch is a call of DecryptWith.
type batch[T any] struct {
	*Messages
	With[T]
	out []T // of what is committed
}

// decryptChunk decrypts messages in one commit, or in more if it takes no more,
// or if what they write is too large for one, or if they take so long that
// others always come first.
func (b *batch[T]) decryptChunk(ctx context.Context, letters []Letter, final bool) error {
	all, begin := parseAll(letters), len(b.out)
	final = final && b.Last != nil
	for most, likely := len(all), len(all); len(b.out) < begin+len(all); {
		next := all[len(b.out)-begin:]
		some := next[:min(most, likely, len(next))]
		last := final && len(some) == len(next)
		done, err := txn.Do(ctx, b.account.DB, func(tx *txn.Tx) ([]T, error) { return b.decryptSome(tx, some, last) })
		switch half := len(some) / 2; {
		case last && errors.Is(err, kv.ErrTooLarge):
			final = false
			continue
		case half > 0 && (errors.Is(err, kv.ErrTooLarge) || errors.Is(err, errSplit)):
			most = half
			continue
		case err != nil:
			return err
		}
		b.out = append(b.out, done...)
		// What follows a commit that took no more is not read for nothing.
		likely = 2 * len(done)
	}
	return nil
}

// tried is a message of a batch, or the error of one that could not be parsed.
type tried struct {
	parsed
	err   error
	plain bool
	reads []txn.Ref
}

func parseAll(letters []Letter) []tried {
	all := make([]tried, len(letters))
	for i, l := range letters {
		parallel.Rest() // each is hashed
		all[i].plain, all[i].reads = l.Plain, l.Reads
		if !l.Plain {
			all[i].parsed, all[i].err = parse(l.Incoming)
		}
	}
	return all
}

// decryptSome is one attempt at the first of the messages: as many of them as one
// commit takes, at least one.
func (b *batch[T]) decryptSome(tx *txn.Tx, all []tried, last bool) ([]T, error) {
	if tx.Attempt() > splitAfter && len(all) > 1 {
		return nil, errSplit
	}
	var more []txn.Ref
	if last {
		more = b.LastReads
	}
	n, err := b.prefetch(tx, all, more)
	if err != nil {
		return nil, err
	}
	results := make([]T, 0, n)
	for len(results) < n {
		run := b.decryptRun(tx, all[:n], len(results))
		if len(run) == 0 {
			return results, nil
		}
		if b.Ahead != nil {
			if err := b.Ahead(tx, len(b.out)+len(results), run); err != nil {
				return nil, err
			}
		}
		for _, r := range run {
			done, err := b.Each(tx, len(b.out)+len(results), r)
			if err != nil {
				return nil, err
			}
			results = append(results, done)
		}
	}
	if last && n == len(all) {
		return results, b.Last(tx)
	}
	return results, nil
}

// decryptRun decrypts the letter that is next and those after it that may be decrypted
// before Each was called with it: none, if the commit takes no more.
func (b *batch[T]) decryptRun(tx *txn.Tx, all []tried, next int) (run []Result) {
	var met map[session.ReceiptID]bool
	for i := next; i < min(len(all), next+maxRun); i++ {
		in, ahead := all[i], len(run)+1
		if i > 0 && !tx.Room(MessageShare.Writes+ahead*b.Writes, MessageShare.Checks+ahead*b.Checks) {
			return run
		}
		// Of what comes twice the second is a duplicate of what is done with the first.
		if len(run) > 0 && (in.plain || in.err != nil || b.Apart == nil || met[in.receipt] || !b.Apart(tx, len(b.out)+i)) {
			return run
		}
		in.place = i
		r := Result{Err: in.err, Place: i}
		if b.Before != nil && !in.plain && in.err == nil {
			r.Err = b.Before(tx, len(b.out)+i)
		}
		if !in.plain && r.Err == nil {
			r.Decrypted, r.Err = b.decrypt(tx, in.parsed)
		}
		run = append(run, r)
		// What is no new message in a session is judged by what there is now.
		if in.plain || r.Err != nil || r.Duplicate || r.Reopened {
			return run
		}
		if met == nil {
			met = make(map[session.ReceiptID]bool)
		}
		met[in.receipt] = true
	}
	return run
}

// prefetch reads what the messages need, and more, in two round trips, or in one if all
// senders' sessions were hinted at and none is a stranger, or in more if they are many. It returns for
// how many of the messages: at least one.
func (m *Messages) prefetch(tx *txn.Tx, all []tried, more []txn.Ref) (int, error) {
	if err := tx.Prefetch(append(m.names(all), more...)...); err != nil {
		return 0, err
	}
	var refs []txn.Ref
	var strangers []ratchet.PublicKey
	met := make(map[ratchet.PublicKey]bool)
	for i, in := range all {
		if in.err != nil || in.plain {
			continue
		}
		more, alone := m.sessionOf(in.parsed)
		if !alone && !met[in.sender] {
			met[in.sender] = true
			sessions, stranger, err := second(tx, in.sender)
			if err != nil {
				return 0, err
			}
			for _, name := range sessions {
				more = append(more, records.Sessions.Ref(name))
			}
			if stranger {
				strangers = append(strangers, in.sender)
			}
		}
		if len(refs) > 0 && len(refs)+len(more) > fewSessions || len(strangers) > fewSessions {
			if err := records.Prefetch(tx, refs, strangers...); err != nil {
				return 0, err
			}
			if tx.Fetched() > enoughRead {
				return i, nil
			}
			refs, strangers = refs[:0], nil
		}
		refs = append(refs, more...)
	}
	return len(all), records.Prefetch(tx, refs, strangers...)
}

// names returns what the first round trip reads: all that is known by name, but
// of sessions only a few.
func (m *Messages) names(all []tried) []txn.Ref {
	refs := []txn.Ref{m.account.Ref()}
	sessions := 0
	met := make(map[ratchet.PublicKey]bool)
	for _, in := range all {
		parallel.Rest()
		refs = append(refs, in.reads...)
		if in.err != nil || in.plain {
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
