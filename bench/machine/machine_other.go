//go:build !linux && !darwin

package machine

import (
	"os"

	"github.com/pawlkv/pawl/bench/result"
)

func describe(*result.Machine, string) {}

func load() float64 { return 0 }

func syncData(file *os.File) error { return file.Sync() }
