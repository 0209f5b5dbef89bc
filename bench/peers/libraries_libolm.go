//go:build libolm

package main

import (
	"fmt"

	_ "maunium.net/go/mautrix/crypto/libolm" // tells its version
	"maunium.net/go/mautrix/crypto/olm"

	"github.com/pawlkv/pawl/bench/result"
)

func libraries() []result.Version {
	if olm.GetVersion == nil {
		return nil
	}
	major, minor, patch := olm.GetVersion()
	return []result.Version{{Name: "libolm", Version: fmt.Sprintf("%d.%d.%d", major, minor, patch)}}
}
