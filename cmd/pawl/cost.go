package main

import (
	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/txn/seal"
)

const (
	memoryFlag = "argon2-memory"
	passesFlag = "argon2-passes"
	// mostMemory and mostPasses are what a flag holds; what is safe and what is
	// opened is for package seal to say.
	mostMemory = 1 << 12 // MiB
	mostPasses = 1 << 12
)

// costFlags say what it takes to open a store with its passphrase.
type costFlags struct{ memory, passes int }

func (f *costFlags) bind(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.memory, memoryFlag, 0, "let the passphrase take so many `MIB` of memory in every process that opens the store: 7 to 256 (default 19)")
	cmd.Flags().IntVar(&f.passes, passesFlag, 0, "with --"+memoryFlag+", go over it so often, at most 16 times (default: as often as is safe)")
}

// cost returns the cost that was chosen, or the zero one.
func (f *costFlags) cost(cmd *cobra.Command) (seal.Cost, error) {
	memory, passes := cmd.Flags().Changed(memoryFlag), cmd.Flags().Changed(passesFlag)
	switch {
	case passes && !memory:
		return seal.Cost{}, cli.Usagef("give --%s too", memoryFlag)
	case !memory:
		return seal.Cost{}, nil
	case f.memory < 0 || f.memory > mostMemory || f.passes < 0 || f.passes > mostPasses:
		return seal.Cost{}, cli.Usagef("--%s %d, --%s %d: want 7 to 256 MiB and at most 16 passes", memoryFlag, f.memory, passesFlag, f.passes)
	}
	c, err := seal.LeastCost(uint32(f.memory) << 10)
	if err == nil && passes {
		c.Passes = uint32(f.passes)
		err = c.Check()
	}
	if err != nil {
		return seal.Cost{}, &cli.UsageError{Err: err}
	}
	return c, nil
}
