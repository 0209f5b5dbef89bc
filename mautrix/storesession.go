package pawlmautrix

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// sessionHandle is all sessions with a peer: Encrypt chooses the one to send in, and
// Decrypt the one that reads.
type sessionHandle struct {
	store   *Store
	peer    ratchet.PublicKey
	oneTime *ratchet.PublicKey // open another with this key; under the store's mutex

	mu   sync.Mutex
	info pawl.SessionInfo // the one that was used last, or is used next
}

var _ olm.Session = (*sessionHandle)(nil)

// Pickle implements olm.Session: it fails with ErrHandle.
func (h *sessionHandle) Pickle([]byte) ([]byte, error) { return nil, ErrHandle }

// Unpickle implements olm.Session: it fails with ErrHandle.
func (h *sessionHandle) Unpickle(_, _ []byte) error { return ErrHandle }

// ID implements olm.Session: of the session that was used last, or is used next; "" if
// there is none yet.
func (h *sessionHandle) ID() id.SessionID {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.info.ID == (ratchet.SessionID{}) {
		return ""
	}
	return id.SessionID(h.info.ID.String())
}

func (h *sessionHandle) used(s ratchet.SessionID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.info.ID = s
}

// HasReceivedMessage implements olm.Session.
func (h *sessionHandle) HasReceivedMessage() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.info.LastReceived != 0
}

// MatchesInboundSession implements olm.Session: Decrypt decides which session it is.
func (h *sessionHandle) MatchesInboundSession(message string) (bool, error) {
	m, err := parsePreKey(message)
	return err == nil && m.IdentityKey == h.peer, err
}

// MatchesInboundSessionFrom implements olm.Session.
func (h *sessionHandle) MatchesInboundSessionFrom(identity, message string) (bool, error) {
	matches, err := h.MatchesInboundSession(message)
	return matches && identity == h.peer.String(), err
}

// EncryptMsgType implements olm.Session.
func (h *sessionHandle) EncryptMsgType() id.OlmMsgType {
	h.store.mu.Lock()
	opens := h.oneTime != nil
	h.store.mu.Unlock()
	if !opens && h.HasReceivedMessage() {
		return id.OlmMsgTypeMsg
	}
	return id.OlmMsgTypePreKey
}

// Encrypt implements olm.Session. The message is returned when the step that made it is
// durable.
func (h *sessionHandle) Encrypt(plaintext []byte) (id.OlmMsgType, []byte, error) {
	var options []pawl.EncryptOption
	if key := h.store.claim(h); key != nil {
		options = append(options, pawl.WithOneTimeKey(*key))
	}
	made, err := wait(func(ctx context.Context) (pawl.Encrypted, error) {
		return h.store.machine.Encrypt(ctx, h.peer, plaintext, options...)
	})
	if err != nil {
		return 0, nil, asOlm(err)
	}
	h.used(made.Session)
	return id.OlmMsgType(made.Message.Type), base64.RawStdEncoding.AppendEncode(nil, made.Message.Body), nil
}

// claim returns the one-time key that a session is to be opened with, once.
func (s *Store) claim(h *sessionHandle) *ratchet.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key, ok := s.claimed[h.peer]; ok {
		delete(s.claimed, h.peer)
		h.oneTime = nil
		return &key
	}
	key := h.oneTime
	h.oneTime = nil
	return key
}

// Decrypt implements olm.Session. The same message has the same plaintext until
// DeleteOldOlmHashes has acknowledged it.
func (h *sessionHandle) Decrypt(message string, kind id.OlmMsgType) ([]byte, error) {
	body, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(message, "="))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", olm.ErrLibolmInvalidBase64, err)
	}
	d, err := wait(func(ctx context.Context) (pawl.Decrypted, error) {
		return h.store.machine.Decrypt(ctx, h.peer, ratchet.Message{Type: ratchet.MessageType(kind), Body: body})
	})
	if err != nil {
		return nil, asOlm(err)
	}
	h.mu.Lock()
	h.info.ID, h.info.LastReceived = d.Session, session.NextStamp(time.Now())
	h.mu.Unlock()
	if h.store.quiet { // who handed it on acknowledges
		return d.Plaintext, nil
	}
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	h.store.receipts[sha256.Sum256(body)] = handled{receipt: d.Receipt}
	return d.Plaintext, nil
}

// Describe implements olm.Session.
func (h *sessionHandle) Describe() string {
	return fmt.Sprintf("sessions with %s, of which %s is used", h.peer, h.ID())
}

// handle returns the handle of a peer, with times; nil if there is no session with it.
func (s *Store) handle(ctx context.Context, key id.SenderKey) (*crypto.OlmSession, []pawl.SessionInfo, error) {
	peer, err := ratchet.ParsePublicKey(string(key))
	if err != nil {
		return nil, nil, nil // nobody's
	}
	all, err := s.machine.Sessions(ctx, peer)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	_, claimed := s.claimed[peer]
	s.mu.Unlock()
	h := &sessionHandle{store: s, peer: peer}
	out := &crypto.OlmSession{Internal: h}
	switch {
	case len(all) > 0:
		h.info = all[0]
		out.CreationTime, out.LastDecryptedTime, out.LastEncryptedTime = h.info.Created.Time(), h.info.LastReceived.Time(), h.info.LastSent.Time()
	case claimed:
		out.CreationTime = time.Now()
	default:
		return nil, nil, nil
	}
	return out, all, nil
}

// AddSession implements crypto.Store. A session that was opened for a message is stored
// already; the one-time key of another is used by the next Encrypt.
func (s *Store) AddSession(_ context.Context, key id.SenderKey, o *crypto.OlmSession) error {
	if o == nil {
		return fmt.Errorf("%w: no session", ErrHandle)
	}
	h, ok := o.Internal.(*sessionHandle)
	if !ok || h.store != s || h.peer.String() != string(key) {
		return fmt.Errorf("%w: not a session of this store with %s: %T", ErrHandle, key, o.Internal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.oneTime != nil {
		s.claimed[h.peer], h.oneTime = *h.oneTime, nil
	}
	return nil
}

// HasSession implements crypto.Store.
func (s *Store) HasSession(ctx context.Context, key id.SenderKey) bool {
	o, _, err := s.handle(ctx, key)
	return err == nil && o != nil
}

// GetSessions implements crypto.Store: there is one handle for all of them.
func (s *Store) GetSessions(ctx context.Context, key id.SenderKey) (crypto.OlmSessionList, error) {
	o, all, err := s.handle(ctx, key)
	if err != nil || o == nil || len(all) == 0 {
		return crypto.OlmSessionList{}, err
	}
	return crypto.OlmSessionList{o}, nil
}

// GetLatestSession implements crypto.Store.
func (s *Store) GetLatestSession(ctx context.Context, key id.SenderKey) (*crypto.OlmSession, error) {
	o, _, err := s.handle(ctx, key)
	return o, err
}

// GetNewestSessionCreationTS implements crypto.Store.
func (s *Store) GetNewestSessionCreationTS(ctx context.Context, key id.SenderKey) (newest time.Time, err error) {
	_, all, err := s.handle(ctx, key)
	for _, one := range all {
		if at := one.Created.Time(); at.After(newest) {
			newest = at
		}
	}
	return newest, err
}

// UpdateSession implements crypto.Store: the step is stored already.
func (s *Store) UpdateSession(context.Context, id.SenderKey, *crypto.OlmSession) error { return nil }

// DeleteSession implements crypto.Store: Pawl gives sessions up by itself.
func (s *Store) DeleteSession(context.Context, id.SenderKey, *crypto.OlmSession) error { return nil }

// PutOlmHash implements crypto.Store: what the message brought is being handled.
func (s *Store) PutOlmHash(_ context.Context, hash [32]byte, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.receipts[hash]; ok {
		h.at = at
		s.receipts[hash] = h
	}
	return nil
}

// GetOlmHash implements crypto.Store. A message counts as handled once it was
// acknowledged: until then it has its plaintext again, in whichever process, so that
// nothing is lost with a process that died over it. Where Pawl receives, all count as
// handled but those that it hands on.
func (s *Store) GetOlmHash(ctx context.Context, hash [32]byte) (time.Time, error) {
	if s.quiet {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.handed[hash] > 0 {
			return time.Time{}, nil
		}
		return time.Now(), nil
	}
	at, _, err := read[time.Time](ctx, s, spaceHashes, hex.EncodeToString(hash[:]))
	return at, err
}

// hashLife is how long it is known that a message was handled: receipts keep that it was
// for longer, but not its hash.
const hashLife = 14 * 24 * time.Hour

// DeleteOldOlmHashes implements crypto.Store: messages that were handled before are
// acknowledged. Where Pawl receives there are none.
func (s *Store) DeleteOldOlmHashes(ctx context.Context, before time.Time) error {
	if s.quiet {
		return nil
	}
	s.mu.Lock()
	var hashes [][32]byte
	var receipts []session.ReceiptID
	var times []time.Time
	for hash, h := range s.receipts {
		if !h.at.IsZero() && h.at.Before(before) {
			hashes, receipts, times = append(hashes, hash), append(receipts, h.receipt), append(times, h.at)
		}
	}
	s.mu.Unlock()
	for i, hash := range hashes {
		if err := put(ctx, s, spaceHashes, hex.EncodeToString(hash[:]), times[i]); err != nil {
			return err
		}
	}
	if err := s.machine.Acknowledge(ctx, receipts...); err != nil {
		return err
	}
	s.mu.Lock()
	for _, hash := range hashes {
		delete(s.receipts, hash)
	}
	s.mu.Unlock()
	old, err := rows[time.Time](ctx, s, spaceHashes)
	for name, at := range old {
		if time.Since(at) > hashLife {
			err = errors.Join(err, s.drop(ctx, spaceHashes, name))
		}
	}
	return err
}

// hashOf is the hash by which mautrix-go knows a message.
func hashOf(message string) ([32]byte, bool) {
	body, err := base64.RawStdEncoding.DecodeString(message)
	return sha256.Sum256(body), err == nil
}

// asOlm adds mautrix-go's error to ours.
func asOlm(err error) error {
	for _, e := range []struct{ ours, theirs error }{
		{ratchet.ErrMAC, olm.ErrBadMAC},
		{ratchet.ErrVersion, olm.ErrWrongProtocolVersion},
		{ratchet.ErrMalformed, olm.ErrBadMessageFormat},
		{ratchet.ErrKeyGone, olm.ErrMessageKeyNotFound},
		{ratchet.ErrGap, olm.ErrMsgIndexTooHigh},
		{pawl.ErrUnknownOneTimeKey, olm.ErrBadMessageKeyID},
		{pawl.ErrAlreadyProcessed, crypto.ErrDuplicateMessage},
	} {
		if errors.Is(err, e.ours) {
			return mautrixError{err, e.theirs}
		}
	}
	return err
}
