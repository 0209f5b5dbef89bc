package interop

import (
	"encoding/base64"

	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"maunium.net/go/mautrix/crypto/goolm/session"
	"maunium.net/go/mautrix/crypto/olm"
)

// foreignSender and foreignReader drive sessions of mautrix's olm interface.
type foreignSender struct{ olm.OutboundGroupSession }

func (s foreignSender) Encrypt(plaintext []byte) ([]byte, error) {
	body, err := s.OutboundGroupSession.Encrypt(plaintext)
	if err != nil {
		return nil, err
	}
	return decode64(body)
}

func (s foreignSender) Share() ([]byte, error) { return decode64([]byte(s.Key())) }

type foreignReader struct{ olm.InboundGroupSession }

func (r foreignReader) Decrypt(body []byte) ([]byte, uint32, error) {
	text, index, err := r.InboundGroupSession.Decrypt([]byte(encode(body)))
	return text, uint32(index), err
}

func (r foreignReader) Export(index uint32) ([]byte, error) {
	b, err := r.InboundGroupSession.Export(index)
	if err != nil {
		return nil, err
	}
	return decode64(b)
}

// megolmErrors are the names that goolm and libolm share.
var megolmErrors = map[Verdict]error{
	Malformed:    olm.ErrBadMessageFormat,
	WrongVersion: olm.ErrWrongProtocolVersion,
	WrongMAC:     olm.ErrBadMAC,
	BadSignature: olm.ErrBadSignature,
	TooEarly:     olm.ErrUnknownMessageIndex,
}

// Sender implements [Megolm].
func (Goolm) Sender(g pickle.OutboundGroup) (GroupSender, error) {
	pickled, err := pickle.Seal([]byte(moveKey), g.Encode())
	if err != nil {
		return nil, err
	}
	s, err := session.MegolmOutboundSessionFromPickled(pickled, []byte(moveKey))
	return foreignSender{s}, err
}

// FromShared implements [Megolm].
func (Goolm) FromShared(b []byte) (GroupReader, error) {
	s, err := session.NewMegolmInboundSession([]byte(encode(b)))
	return foreignReader{s}, err
}

// FromExported implements [Megolm].
func (Goolm) FromExported(b []byte) (GroupReader, error) {
	s, err := session.NewMegolmInboundSessionFromExport([]byte(encode(b)))
	return foreignReader{s}, err
}

// MegolmError implements [Megolm].
func (Goolm) MegolmError(v Verdict) error { return megolmErrors[v] }

// decode64 reads what they write.
func decode64(b []byte) ([]byte, error) {
	return base64.RawStdEncoding.Strict().DecodeString(string(b))
}
