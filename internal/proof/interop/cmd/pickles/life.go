//go:build libolm

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"github.com/pawlkv/pawl/ratchet"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"
)

type object map[string]any

// device is an account with keys that are published, the oldest first.
type device struct {
	olm.Account
	curve id.Curve25519
	keys  []id.Curve25519
}

func (p program) device() (*device, error) {
	a, err := p.newAccount()
	if err != nil {
		return nil, err
	}
	d := &device{Account: a}
	if _, d.curve, err = a.IdentityKeys(); err != nil {
		return nil, err
	}
	d.keys, err = d.makeKeys(10)
	d.MarkKeysAsPublished()
	return d, err
}

// makeKeys makes keys that are not published.
func (d *device) makeKeys(n uint) (keys []id.Curve25519, err error) {
	if err := d.GenOneTimeKeys(n); err != nil {
		return nil, err
	}
	byID, err := d.OneTimeKeys()
	for _, k := range sorted(byID) {
		keys = append(keys, byID[k])
	}
	return keys, err
}

func sorted(m map[string]id.Curve25519) (ids []string) {
	for k := range m {
		ids = append(ids, k)
	}
	slices.Sort(ids)
	return ids
}

// addFallbacks gives the account two fallback keys, which mautrix's interface has no
// call for, and lets the program itself take them in and pickle them.
func (p program) addFallbacks(d *device) (current, previous string, err error) {
	state, err := stateOf(d.Account)
	if err != nil {
		return "", "", err
	}
	for range 2 {
		pair, err := ratchet.GenerateKeyPair(rand.Reader)
		if err != nil {
			return "", "", err
		}
		state.LastID++
		made := pickle.OneTimeKey{ID: state.LastID, Published: true, Public: pair.Public(), Private: pair.Private()}
		state.FallbackKeys = append([]pickle.OneTimeKey{made}, state.FallbackKeys...)
	}
	sealed, err := pickle.Seal(pickleKey, state.Encode())
	if err != nil {
		return "", "", err
	}
	d.Account, err = p.restore(sealed, pickleKey)
	return ratchet.PublicKey(state.FallbackKeys[0].Public).String(), ratchet.PublicKey(state.FallbackKeys[1].Public).String(), err
}

func stateOf(a olm.Account) (pickle.Account, error) {
	sealed, err := a.Pickle(pickleKey)
	if err != nil {
		return pickle.Account{}, err
	}
	raw, err := pickle.Open(pickleKey, sealed)
	if err != nil {
		return pickle.Account{}, err
	}
	return pickle.DecodeAccount(raw)
}

// sent is a message.
type sent struct {
	kind id.OlmMsgType
	body string
	text string
}

func (m sent) json() object { return object{"type": m.kind, "body": m.body, "text": m.text} }

func send(s olm.Session, text string) (sent, error) {
	kind, body, err := s.Encrypt([]byte(text))
	return sent{kind, string(body), text}, err
}

func read(s olm.Session, m sent) error {
	text, err := s.Decrypt(m.body, m.kind)
	if err == nil && string(text) != m.text {
		err = errors.New("the peer reads something else")
	}
	return err
}

// pair is a session of ours with the peer's side of it.
type pair struct {
	peer         *device
	ours, theirs olm.Session
	unread       []object
}

// pickled is a session of ours, what the peer sent that we have not read, and what the
// old program would send next, where that takes nothing random.
func (p pair) pickled(name string, next bool) (object, error) {
	sealed, err := p.ours.Pickle(pickleKey)
	if err != nil {
		return nil, err
	}
	out := object{"name": name, "peer": p.peer.curve, "id": p.ours.ID(), "pickle": string(sealed), "next": nil}
	if next {
		m, err := send(p.ours, "what comes next")
		if err != nil {
			return nil, err
		}
		if err := read(p.theirs, m); err != nil {
			return nil, err
		}
		out["next"] = m.json()
		// The peer answers what it has read in a chain of its own.
		for _, text := range []string{"an answer", "another answer"} {
			answer, err := send(p.theirs, text)
			if err != nil {
				return nil, err
			}
			p.unread = append(p.unread, answer.json())
		}
	}
	out["unread"] = p.unread
	return out, nil
}

// unanswered: we opened it, sent twice, and the peer has answered nothing yet.
func (p program) unanswered(us *device) (object, error) {
	peer, err := p.device()
	if err != nil {
		return nil, err
	}
	ours, err := us.NewOutboundSession(peer.curve, peer.keys[0])
	if err != nil {
		return nil, err
	}
	first, err := send(ours, "first")
	if err != nil {
		return nil, err
	}
	if _, err := send(ours, "lost"); err != nil {
		return nil, err
	}
	theirs, err := peer.NewInboundSessionFrom(&us.curve, first.body)
	if err != nil {
		return nil, err
	}
	if err := read(theirs, first); err != nil {
		return nil, err
	}
	return pair{peer: peer, ours: ours, theirs: theirs}.pickled("unanswered", true)
}

// inbound is a session that a peer opened with a key of ours, which is used up.
func (p program) inbound(us *device, key id.Curve25519, text string) (pair, error) {
	peer, err := p.device()
	if err != nil {
		return pair{}, err
	}
	theirs, err := peer.NewOutboundSession(us.curve, key)
	if err != nil {
		return pair{}, err
	}
	first, err := send(theirs, text)
	if err != nil {
		return pair{}, err
	}
	ours, err := us.NewInboundSessionFrom(&peer.curve, first.body)
	if err != nil {
		return pair{}, err
	}
	if err := read(ours, first); err != nil {
		return pair{}, err
	}
	return pair{peer: peer, ours: ours, theirs: theirs}, us.RemoveOneTimeKeys(ours)
}

// silent: the peer opened it; we read some, skipped some, and have not written.
func (p program) silent(us *device, key id.Curve25519) (object, error) {
	s, err := p.inbound(us, key, "0")
	if err != nil {
		return nil, err
	}
	for i := 1; i < 6; i++ {
		m, err := send(s.theirs, fmt.Sprint(i))
		if err != nil {
			return nil, err
		}
		if i != 4 {
			s.unread = append(s.unread, m.json())
		} else if err := read(s.ours, m); err != nil {
			return nil, err
		}
	}
	return s.pickled("silent", false)
}

// long: eight turns, in each of which messages are skipped: the first chains are
// forgotten. It ends with a message of ours.
func (p program) long(us *device, key id.Curve25519) (object, error) {
	s, err := p.inbound(us, key, "hello")
	if err != nil {
		return nil, err
	}
	for turn := range 8 {
		if err := s.turn(turn); err != nil {
			return nil, err
		}
	}
	last, err := send(s.ours, "the last turn")
	if err == nil {
		err = read(s.theirs, last)
	}
	if err != nil {
		return nil, err
	}
	return s.pickled("long", true)
}

func (p *pair) turn(turn int) error {
	m, err := send(p.ours, "turn")
	if err == nil {
		err = read(p.theirs, m)
	}
	if err != nil {
		return err
	}
	for i := range 5 {
		m, err := send(p.theirs, fmt.Sprint(turn, " ", i))
		switch {
		case err != nil:
			return err
		case i == 4:
			return read(p.ours, m)
		case turn >= 4 && (i == 0 || i == 3): // older ones are of chains that are forgotten by the end
			p.unread = append(p.unread, m.json())
		}
	}
	return nil
}

// first is a first message that comes after the pickle.
func (p program) first(us *device, key id.Curve25519, text string) (object, error) {
	peer, err := p.device()
	if err != nil {
		return nil, err
	}
	theirs, err := peer.NewOutboundSession(us.curve, key)
	if err != nil {
		return nil, err
	}
	m, err := send(theirs, text)
	return object{"peer": peer.curve, "message": m.json()}, err
}

// live returns a fixture.
func (p program) live() (object, error) {
	us, err := p.device()
	if err != nil {
		return nil, err
	}
	published := us.keys
	current, previous, err := p.addFallbacks(us)
	if err != nil {
		return nil, err
	}
	var sessions, firsts []object
	add := func(to *[]object, one object, failed error) {
		*to, err = append(*to, one), errors.Join(err, failed)
	}
	one, failed := p.unanswered(us)
	add(&sessions, one, failed)
	one, failed = p.silent(us, published[0])
	add(&sessions, one, failed)
	one, failed = p.long(us, published[1])
	add(&sessions, one, failed)
	for text, key := range map[string]string{
		"by a one-time key": string(published[4]), "by the fallback key": current, "by the one before": previous,
	} {
		one, failed = p.first(us, id.Curve25519(key), text)
		add(&firsts, one, failed)
	}
	unpublished, failed := us.makeKeys(3)
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	account, err := p.account(us)
	if err != nil {
		return nil, err
	}
	account["published"], account["unpublished"] = published[2:], unpublished
	account["fallback"], account["previous_fallback"] = current, previous
	inbound, outbound, err := p.groups()
	return object{"program": p.name, "account": account, "sessions": sessions, "first": firsts, "inbound": inbound, "outbound": outbound}, err
}

func (p program) account(us *device) (object, error) {
	sealed, err := us.Pickle(pickleKey)
	if err != nil {
		return nil, err
	}
	ed, curve, err := us.IdentityKeys()
	if err != nil {
		return nil, err
	}
	signature, err := us.Sign([]byte("a text"))
	if err != nil {
		return nil, err
	}
	state, err := stateOf(us.Account)
	return object{
		"curve25519": curve, "ed25519": ed, "pickle": string(sealed), "signed": "a text", "signature": string(signature), "last_id": state.LastID,
	}, err
}

// groups is a session that somebody sends in, as its owner shares it and as it is
// exported, and one of ours.
func (p program) groups() (inbound, outbound object, err error) {
	sender, err := p.newSender()
	if err != nil {
		return nil, nil, err
	}
	messages := func(from, to int) (all []object) {
		for i := from; i < to; i++ {
			text := fmt.Sprintf("message %d", i)
			body, failed := sender.Encrypt([]byte(text))
			err = errors.Join(err, failed)
			all = append(all, object{"index": i, "body": string(body), "text": text})
		}
		return all
	}
	messages(0, 3)
	reader, failed := p.newReader([]byte(sender.Key()))
	if err = errors.Join(err, failed); err != nil {
		return nil, nil, err
	}
	export, err := reader.Export(3)
	if err != nil {
		return nil, nil, err
	}
	imported, err := p.newImport(export)
	if err != nil {
		return nil, nil, err
	}
	inbound = object{"id": sender.ID(), "messages": messages(3, 6)}
	// What was read since moves the latest ratchet on.
	last := inbound["messages"].([]object)[2]["body"].(string)
	_, _, failed = reader.Decrypt([]byte(last))
	err = errors.Join(err, failed)
	for name, s := range map[string]olm.InboundGroupSession{"pickle": reader, "imported_pickle": imported} {
		sealed, failed := s.Pickle(pickleKey)
		inbound[name], err = string(sealed), errors.Join(err, failed)
	}
	sealed, failed := sender.Pickle(pickleKey)
	err = errors.Join(err, failed)
	outbound = object{"id": sender.ID(), "pickle": string(sealed), "session_key": sender.Key()}
	outbound["messages"] = messages(6, 7)
	return inbound, outbound, err
}
