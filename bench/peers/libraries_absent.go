//go:build !libolm

package main

import "github.com/pawlkv/pawl/bench/result"

func libraries() []result.Version { return nil }
