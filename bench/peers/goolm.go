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
	}.contestant()
}
