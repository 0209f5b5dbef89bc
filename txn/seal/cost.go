package seal

import (
	"errors"
	"fmt"
)

// Cost is what deriving a key from a passphrase takes, and what each guess at it
// takes too. It is recorded with the keyring, in the open.
type Cost struct {
	Passes uint32 // over the memory: 1 to 16
	Memory uint32 // in KiB: 7 MiB to 256 MiB
}

// DefaultCost takes 19 MiB and some tens of milliseconds.
var DefaultCost = Cost{Passes: argonTime, Memory: argonMemory}

// ErrCost: the cost is below what is safe, or above what is opened. Nothing was
// written.
var ErrCost = errors.New("seal: cost of a passphrase out of bounds")

// leastPasses are how many passes a memory takes at least, from the largest
// memory down: the equals that the OWASP Password Storage Cheat Sheet lists for
// Argon2id with one thread. With less than the last nothing is written.
var leastPasses = []Cost{
	{1, 46 << 10}, {2, 19 << 10}, {3, 12 << 10}, {4, 9 << 10}, {5, 7 << 10},
}

// LeastCost returns the least cost that is written with so many KiB of memory,
// and fails with ErrCost where there is none.
func LeastCost(memory uint32) (Cost, error) {
	if memory > argonMemoryMax {
		return Cost{}, fmt.Errorf("%w: %s of memory, want at most %s", ErrCost, inMemory(memory), inMemory(argonMemoryMax))
	}
	for _, least := range leastPasses {
		if memory >= least.Memory {
			return Cost{least.Passes, memory}, nil
		}
	}
	least := leastPasses[len(leastPasses)-1]
	return Cost{}, fmt.Errorf("%w: %s of memory, want at least %s", ErrCost, inMemory(memory), inMemory(least.Memory))
}

// inMemory names an amount of memory in the unit in which people choose it.
func inMemory(kib uint32) string {
	if kib%(1<<10) == 0 {
		return fmt.Sprintf("%d MiB", kib>>10)
	}
	return fmt.Sprintf("%d KiB", kib)
}

// Check fails with ErrCost for what is not written.
func (c Cost) Check() error {
	least, err := LeastCost(c.Memory)
	switch {
	case err != nil:
		return err
	case c.Passes < least.Passes:
		return fmt.Errorf("%w: %d passes over %s, want at least %d", ErrCost, c.Passes, inMemory(c.Memory), least.Passes)
	case c.Passes > argonTimeMax:
		return fmt.Errorf("%w: %d passes, want at most %d", ErrCost, c.Passes, argonTimeMax)
	}
	return nil
}

// params are the cost with the one thread that this program writes.
func (c Cost) params() params { return params{argon2id, c.Passes, c.Memory, argonThreads} }

// costOf returns the cost in a record, and none for a key, or where this program
// would not write it.
func costOf(p params) Cost {
	c := Cost{p.Time, p.Memory}
	if p.Kind != argon2id || c.Check() != nil {
		return Cost{}
	}
	return c
}
