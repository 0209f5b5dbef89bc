package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/peers/stored"
)

// errNoSystem: this program knows no such system.
var errNoSystem = errors.New("usage: PROGRAM hold SYSTEM DIR")

// program is the peer program's side: "list", "run" and, for processes that a
// run starts, "hold".
func program(ctx context.Context, args []string) error {
	if args[0] == "hold" {
		return hold(ctx, args[1:])
	}
	var benches []peer.Bench
	for _, s := range systems() {
		benches = append(benches, s.Benches(holder)...)
	}
	return peer.Serve(ctx, os.Stdout, args, versions(), slices.Concat(benches, engines(), olmBenches()))
}

func hold(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errNoSystem
	}
	known := systems()
	i := slices.IndexFunc(known, func(s stored.System) bool { return s.Name == args[0] })
	if i < 0 {
		return fmt.Errorf("%w: there is no %q", errNoSystem, args[0])
	}
	return known[i].Hold(ctx, args[1], os.Stdin, os.Stdout)
}

// holder starts this program once more.
func holder(ctx context.Context, system, dir string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, "hold", system, dir)
}
