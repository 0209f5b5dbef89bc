package interop

import "maunium.net/go/mautrix/crypto/goolm/message"

// RatchetKey returns the ratchet key in a message that is known to be well
// formed, else zeros.
func RatchetKey(m Message) (key [32]byte) {
	body := m.Body
	if m.Type == 0 {
		var p message.PreKeyMessage
		if p.Decode(body) != nil {
			return key
		}
		body = p.Message
	}
	var n message.Message
	if n.Decode(body) == nil {
		copy(key[:], n.RatchetKey)
	}
	return key
}
