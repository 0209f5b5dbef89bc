// Package pawlmautrix is Pawl as the encryption of programs that are written with
// mautrix-go. A program changes two lines, the import and the constructor:
//
//	helper, err := pawlmautrix.NewCryptoHelper(client, []byte("passphrase"), "bot.pawl")
//	...
//	err = helper.Init(ctx)
//	client.Crypto = helper
//
// From then on it may run twice, or ten times, on the same device: whatever its
// processes do at once, no message key is used twice and no session is wedged. What
// mautrix-go's own helper keeps in memory or writes without looking, this one does in
// transactions of a [pawl.Machine].
//
// It needs no C compiler if it is built with CGO_ENABLED=0 and -tags goolm, which
// mautrix-go needs without libolm.
package pawlmautrix
