package pickle

// OutboundGroup is a Megolm session to send in.
type OutboundGroup struct {
	Ratchet [128]byte
	Index   uint32
	Public  [32]byte
	Private [64]byte // expanded: clamped scalar and prefix
}

const outboundGroupVersion = 1

// DecodeOutboundGroup reads what libolm pickles of a session to send in.
func DecodeOutboundGroup(raw []byte) (g OutboundGroup, err error) {
	r := reader{b: raw}
	if v := r.u32(); v != outboundGroupVersion && r.err == nil {
		r.err = ErrPickle
	}
	copy(g.Ratchet[:], r.take(len(g.Ratchet)))
	g.Index = r.u32()
	g.Public = r.key()
	copy(g.Private[:], r.take(len(g.Private)))
	return g, r.end()
}

// Encode is what libolm would pickle.
func (g OutboundGroup) Encode() []byte {
	b := appendU32(nil, outboundGroupVersion)
	b = append(b, g.Ratchet[:]...)
	b = appendU32(b, g.Index)
	b = append(b, g.Public[:]...)
	return append(b, g.Private[:]...)
}
