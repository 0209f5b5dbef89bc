package main

import (
	"maunium.net/go/mautrix/crypto/goolm/account"
	"maunium.net/go/mautrix/crypto/goolm/session"
	"maunium.net/go/mautrix/crypto/olm"
)

func goolm() contestant {
	return their{
		name:       "goolm",
		newAccount: func() (olm.Account, error) { return account.NewAccount() },
		restoreAccount: func(pickled []byte) (olm.Account, error) {
			return account.AccountFromPickled(pickled, pickleKey)
		},
		restoreSession: func(pickled []byte) (olm.Session, error) {
			return session.OlmSessionFromPickled(pickled, pickleKey)
		},
		newSender: func() (olm.OutboundGroupSession, error) { return session.NewMegolmOutboundSession() },
		newReader: func(key []byte) (olm.InboundGroupSession, error) { return session.NewMegolmInboundSession(key) },
	}.contestant()
}
