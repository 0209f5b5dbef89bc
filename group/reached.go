package group

import (
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/secret"
)

// Reached is how far reading a session has come: the ratchet of the last message
// that was opened, and its signer's key made ready. It is a hint, kept in memory at
// most, which saves the hashes from a copy's index on, since messages mostly come in
// order, and decoding the key. It changes no answer: the ratchet serves only the very
// copy that it was made from, and any later index, the key only its own session. The
// zero Reached is none.
type Reached struct {
	secret.Guard
	signer *account.Verifier   // of the session's key
	from   secret.Value[state] // the copy's
	to     secret.Value[state]
}

// DecryptFrom is [Inbound.Decrypt] with the hint of an earlier message, and returns
// the hint for the next. After an error it is the one that was given.
func (in Inbound) DecryptFrom(hint Reached, m Message) (Opened, Reached, error) {
	signer := hint.signerOf(in.id)
	if err := verify(m, signer.Verify); err != nil {
		return Opened{}, hint, err
	}
	c, err := in.reaching(m.Index)
	if err != nil {
		return Opened{}, hint, err
	}
	r := hint.at(c.Key, m.Index)
	text, err := r.open(m)
	if err != nil {
		return Opened{}, hint, err
	}
	source := in.copies[0].Source
	source.Provenance, source.Giver = c.Provenance, c.Giver
	next := Reached{signer: signer, from: c.Key.ratchet, to: secret.Hide(r)}
	return Opened{Text: text, Index: m.Index, Source: source}, next, nil
}

// signerOf returns the verifier of a session's signatures.
func (h Reached) signerOf(id SessionID) *account.Verifier {
	if h.signer != nil && h.signer.Key() == account.VerifyKey(id) {
		return h.signer
	}
	return account.VerifyKey(id).Verifier()
}

// at returns the ratchet of a key at an index that it reaches.
func (h Reached) at(k Key, index uint32) state {
	from, to, own := h.from.Peek(), h.to.Peek(), k.ratchet.Peek()
	// Both are our own secrets: nobody chooses one to learn of the other.
	if from != nil && h.signer.Key() == account.VerifyKey(k.id) && *from == *own && to.index <= index {
		return to.at(index)
	}
	return own.at(index)
}
