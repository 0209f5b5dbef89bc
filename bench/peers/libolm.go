//go:build libolm

package main

import (
	libolmc "maunium.net/go/mautrix/crypto/libolm"
	"maunium.net/go/mautrix/crypto/olm"
)

func libolm() []contestant {
	return []contestant{their{
		name:       "libolm",
		newAccount: func() (olm.Account, error) { return libolmc.NewAccount() },
		restoreAccount: func(pickled []byte) (olm.Account, error) {
			return libolmc.AccountFromPickled(pickled, pickleKey)
		},
		restoreSession: func(pickled []byte) (olm.Session, error) {
			return libolmc.SessionFromPickled(pickled, pickleKey)
		},
		newSender: func() (olm.OutboundGroupSession, error) { return libolmc.NewOutboundGroupSession() },
		newReader: func(key []byte) (olm.InboundGroupSession, error) { return libolmc.NewInboundGroupSession(key) },
	}.contestant()}
}
