//go:build peers && !goolm

package main

import (
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/peers/mautrix"
	"github.com/pawlkv/pawl/bench/peers/stored"
)

func systems() []stored.System { return mautrix.Systems() }

func engines() []peer.Bench { return nil }

func alone() []contestant { return libolm() }
