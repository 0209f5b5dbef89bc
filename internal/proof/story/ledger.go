package story

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Ledger notes what left the handles of a device and its far side. Its methods
// may be called from any number of goroutines.
type Ledger struct {
	mu       sync.Mutex
	excuse   func(error) bool
	broken   Violations
	messages map[session.ReceiptID]*Letter
	order    []*Letter
	keysUsed map[messageKey]string
	opened   map[ratchet.PublicKey]ratchet.SessionID // by the one-time key that an answered message named
	uploaded map[string]string                       // key id or key -> upload it was in
	fallback map[ratchet.PublicKey]bool
	free     []ratchet.PublicKey // uploaded one-time keys that nobody claimed
	current  ratchet.PublicKey   // newest fallback key
	uploads  int
	settled  bool // a session is known to exist
}

// Letter is a message of the far side and what became of it.
type Letter struct {
	number    int // from 0
	Message   ratchet.Message
	Plaintext []byte
	oneTime   ratchet.PublicKey // zero: a normal message, or opened with a fallback key
	fresh     int               // answers not marked duplicate
	answered  int               // answers with a plaintext
	acked     bool
	lost      bool // never delivered, as far as the network goes
}

// messageKey names a message key of one sender.
type messageKey struct {
	session ratchet.SessionID
	chain   ratchet.PublicKey
	index   uint32
}

func (k messageKey) compare(other messageKey) int {
	return cmp.Or(bytes.Compare(k.session[:], other.session[:]), bytes.Compare(k.chain[:], other.chain[:]), cmp.Compare(k.index, other.index))
}

func newLedger(excuse func(error) bool) *Ledger {
	return &Ledger{
		excuse: excuse, messages: map[session.ReceiptID]*Letter{}, keysUsed: map[messageKey]string{},
		opened: map[ratchet.PublicKey]ratchet.SessionID{}, uploaded: map[string]string{}, fallback: map[ratchet.PublicKey]bool{},
	}
}

// Violations returns what was found so far.
func (l *Ledger) Violations() Violations {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.broken)
}

// Fail notes a violation.
func (l *Ledger) Fail(o Oracle, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail(o, format, args...)
}

func (l *Ledger) fail(o Oracle, format string, args ...any) {
	l.broken = append(l.broken, violation(o, format, args...))
}

// sent notes a message of the far side.
func (l *Ledger) sent(from ratchet.PublicKey, m ratchet.Message, plaintext []byte) *Letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := &Letter{number: len(l.order), Message: m, Plaintext: plaintext}
	p, err := ratchet.ParsePreKeyMessage(m.Body)
	if m.Type == ratchet.PreKey && err == nil && !l.fallback[p.OneTimeKey] {
		one.oneTime = p.OneTimeKey
	}
	normal := p.Normal
	if m.Type == ratchet.Normal {
		normal, err = ratchet.ParseNormalMessage(m.Body)
	}
	if err != nil {
		l.fail(Answers, "the far side's message %d is none: %v", one.number, err)
		return one
	}
	l.messages[session.ReceiptOf(from, normal)] = one
	l.messages[session.ReceiptOf1(from, m)] = one // in an account of format 1
	l.order = append(l.order, one)
	return one
}

// answered notes an answer of a handle to a message.
func (l *Ledger) answered(handle string, m *Letter, d pawl.Decrypted, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, pawl.ErrAlreadyProcessed) && m.acked, l.excused(err):
		return
	case err != nil:
		l.fail(FalseFailure, "%s refuses message %d: %v", handle, m.number, err)
		return
	case !bytes.Equal(d.Plaintext, m.Plaintext):
		l.fail(Answers, "%s answers message %d with %q, which was %q", handle, m.number, d.Plaintext, m.Plaintext)
	}
	m.answered++
	l.settled = true
	if !d.Duplicate {
		if m.fresh++; m.fresh == 2 {
			l.fail(Answers, "message %d has two answers not marked duplicate, the second from %s", m.number, handle)
		}
	}
	l.open(m, d.Session)
}

func (l *Ledger) open(m *Letter, id ratchet.SessionID) {
	if m.oneTime == (ratchet.PublicKey{}) {
		return
	}
	if other, twice := l.opened[m.oneTime]; twice && other != id {
		l.fail(OneTimeKeys, "one-time key %s opened sessions %s and %s", m.oneTime, other, id)
	}
	l.opened[m.oneTime] = id
}

// released notes a ciphertext that left a handle.
func (l *Ledger) released(handle string, e pawl.Encrypted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled = true
	normal, err := normalOf(e.Message)
	if err != nil {
		l.fail(Unreadable, "%s released no Olm message: %v", handle, err)
		return
	}
	key := messageKey{e.Session, normal.RatchetKey, normal.Index}
	if by, twice := l.keysUsed[key]; twice {
		l.fail(KeyReuse, "%s and %s used the key of index %d of chain %s in session %s", by, handle, key.index, key.chain, key.session)
	}
	l.keysUsed[key] = handle
}

func normalOf(m ratchet.Message) (ratchet.NormalMessage, error) {
	if m.Type == ratchet.Normal {
		return ratchet.ParseNormalMessage(m.Body)
	}
	p, err := ratchet.ParsePreKeyMessage(m.Body)
	return p.Normal, err
}

// refused notes that a handle did not encrypt; known tells that there was a
// session before it was asked.
func (l *Ledger) refused(handle string, known bool, err error) {
	if l.excused(err) || errors.Is(err, pawl.ErrNoSession) && !known {
		return
	}
	l.Fail(FalseFailure, "%s does not encrypt: %v", handle, err)
}

// excused reports whether an error tells nothing of what was asked.
func (l *Ledger) excused(err error) bool {
	return errors.Is(err, kv.ErrUnavailable) || err != nil && l.excuse != nil && l.excuse(err)
}

// Answered reports whether a handle has answered a message with its plaintext.
func (l *Ledger) Answered(m *Letter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return m.answered > 0
}

func (l *Ledger) known() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settled
}

// acknowledging notes that receipts of messages are about to be acknowledged.
func (l *Ledger) acknowledging(receipts []session.ReceiptID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range receipts {
		if m := l.messages[id]; m != nil {
			m.acked = true
		}
	}
}

// uploadedBy notes an upload, whose keys the server has from now on.
func (l *Ledger) uploadedBy(handle string, u pawl.Upload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uploads++
	oneTime, fallback, err := parseUpload(u.Body)
	if err != nil {
		l.fail(Uploads, "%s made a body that is no upload: %v", handle, err)
		return
	}
	for _, id := range slices.Sorted(maps.Keys(oneTime)) {
		key := oneTime[id]
		for _, name := range []string{id, key.String()} {
			if by, twice := l.uploaded[name]; twice {
				l.fail(Uploads, "%s is in an upload of %s and in one of %s", name, by, handle)
			}
			l.uploaded[name] = handle
		}
		l.free = append(l.free, key)
	}
	for id, key := range fallback {
		// The fallback key is in every upload, under one id.
		if known, twice := l.uploaded[id]; twice && known != key.String() {
			l.fail(Uploads, "key id %s is of two keys", id)
		}
		l.uploaded[id] = key.String()
		l.fallback[key], l.current = true, key
	}
	if len(oneTime) != len(u.OneTimeKeys) {
		l.fail(Uploads, "%s uploads %d one-time keys and says %d", handle, len(oneTime), len(u.OneTimeKeys))
	}
}

// parseUpload returns the keys of a body by their ids.
func parseUpload(body []byte) (oneTime, fallback map[string]ratchet.PublicKey, err error) {
	type keys map[string]struct{ Key string }
	var b struct {
		OneTimeKeys  keys `json:"one_time_keys"`
		FallbackKeys keys `json:"fallback_keys"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, nil, err
	}
	parse := func(in keys) (map[string]ratchet.PublicKey, error) {
		out := map[string]ratchet.PublicKey{}
		for id, k := range in {
			if out[id], err = ratchet.ParsePublicKey(k.Key); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if oneTime, err = parse(b.OneTimeKeys); err != nil {
		return nil, nil, err
	}
	fallback, err = parse(b.FallbackKeys)
	return oneTime, fallback, err
}

// claim gives out an uploaded one-time key as a server does, once, and the
// fallback key when there is none.
func (l *Ledger) claim() ratchet.PublicKey {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) == 0 {
		return l.current
	}
	key := l.free[0]
	l.free = l.free[1:]
	return key
}

// oneTimeKeysLeft returns how many keys the server has.
func (l *Ledger) oneTimeKeysLeft() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.free)
}

// Letters returns the messages sent so far.
func (l *Ledger) Letters() []*Letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.order)
}

// Released counts the messages that left handles.
func (l *Ledger) Released() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keysUsed)
}

// deliverable returns the messages that the network has not lost.
func (l *Ledger) deliverable() []*Letter {
	return slices.DeleteFunc(l.Letters(), func(m *Letter) bool { return m.lost })
}
