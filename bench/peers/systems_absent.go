//go:build !peers

package main

import (
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/peers/pawlpeer"
	"github.com/pawlkv/pawl/bench/peers/stored"
)

// systems without the build tag are Pawl alone: mautrix-go brings a SQLite in C
// that takes minutes to build.
func systems() []stored.System { return pawlpeer.Systems() }

func engines() []peer.Bench { return pawlpeer.Bare() }

func alone() []contestant { return []contestant{ours(), goolm()} }
