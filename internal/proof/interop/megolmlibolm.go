//go:build libolm

package interop

import (
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	libolmc "maunium.net/go/mautrix/crypto/libolm"
)

// Sender implements [Megolm].
func (Libolm) Sender(g pickle.OutboundGroup) (GroupSender, error) {
	pickled, err := pickle.Seal([]byte(moveKey), g.Encode())
	if err != nil {
		return nil, err
	}
	s := libolmc.NewBlankOutboundGroupSession()
	return foreignSender{s}, s.Unpickle(pickled, []byte(moveKey))
}

// FromShared implements [Megolm].
func (Libolm) FromShared(b []byte) (GroupReader, error) {
	s, err := libolmc.NewInboundGroupSession([]byte(encode(b)))
	return foreignReader{s}, err
}

// FromExported implements [Megolm].
func (Libolm) FromExported(b []byte) (GroupReader, error) {
	s, err := libolmc.InboundGroupSessionImport([]byte(encode(b)))
	return foreignReader{s}, err
}

// MegolmError implements [Megolm].
func (Libolm) MegolmError(v Verdict) error { return megolmErrors[v] }
