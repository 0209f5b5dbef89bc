//go:build peers && goolm

package main

import (
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/peers/mautrix"
	"github.com/pawlkv/pawl/bench/peers/pawlpeer"
	"github.com/pawlkv/pawl/bench/peers/stored"
)

func systems() []stored.System { return append(pawlpeer.Systems(), mautrix.Systems()...) }

// engines are those of Pawl alone.
func engines() []peer.Bench { return pawlpeer.Bare() }

// alone are whose Olm this program measures without a store.
func alone() []contestant { return []contestant{ours(), goolm()} }
