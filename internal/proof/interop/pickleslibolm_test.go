//go:build libolm

package interop

import (
	libolmc "maunium.net/go/mautrix/crypto/libolm"
	"maunium.net/go/mautrix/crypto/olm"
)

func init() {
	programs["libolm"] = func(pickled []byte) (olm.Account, error) {
		return libolmc.AccountFromPickled(pickled, []byte(moveKey))
	}
}
