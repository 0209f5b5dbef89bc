package interop

import (
	"encoding/binary"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
)

// Sender implements [Megolm]: the bytes of a sender are written a second time here.
func (Pawl) Sender(g pickle.OutboundGroup) (GroupSender, error) {
	b := binary.BigEndian.AppendUint32([]byte{1}, g.Index)
	b = append(b, g.Ratchet[:]...)
	b = append(b, g.Public[:]...)
	s, err := group.DecodeSender(append(b, g.Private[:]...))
	return &pawlSender{s}, err
}

// FromShared implements [Megolm].
func (Pawl) FromShared(b []byte) (GroupReader, error) {
	k, err := group.ParseSharedKey(b)
	return pawlReader{k}, err
}

// FromExported implements [Megolm].
func (Pawl) FromExported(b []byte) (GroupReader, error) {
	k, err := group.ParseExportedKey(b)
	return pawlReader{k}, err
}

// MegolmError implements [Megolm].
func (Pawl) MegolmError(v Verdict) error {
	return map[Verdict]error{
		Malformed:    group.ErrMalformed,
		WrongVersion: group.ErrVersion,
		WrongMAC:     group.ErrMAC,
		BadSignature: group.ErrSignature,
		TooEarly:     group.ErrTooEarly,
	}[v]
}

type pawlSender struct{ group.Sender }

func (s *pawlSender) Encrypt(plaintext []byte) ([]byte, error) {
	next, body, err := s.Sender.Encrypt(plaintext)
	if err == nil {
		s.Sender = next
	}
	return body, err
}

type pawlReader struct{ group.Key }

func (r pawlReader) Decrypt(body []byte) ([]byte, uint32, error) {
	m, err := group.ParseMessage(body)
	if err != nil {
		return nil, 0, err
	}
	text, err := r.Key.Decrypt(m)
	return text, m.Index, err
}

func (r pawlReader) Export(index uint32) ([]byte, error) {
	k, err := r.Advance(index)
	if err != nil {
		return nil, err
	}
	return k.Export(nil)
}
