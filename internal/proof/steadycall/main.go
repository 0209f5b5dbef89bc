// Command steadycall prints the functions and files of this module that one
// steady Machine.Decrypt runs, its engine included: how much code a reader meets
// who follows one call. Run it from the top of the repository:
//
//	go run ./internal/proof/steadycall [-list] [-only badger]
//
// Steady is the next message of a session that both sides have used, in a process
// that has decrypted such messages before. The program builds itself anew with
// coverage of the whole module, lets that one decrypt several messages, with the
// counters cleared before each, and counts the functions that ran in every one
// of them. What runs meanwhile on other goroutines, as an engine's committer
// does, counts too; a function literal is part of the function that it stands in.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
)

// role is set in the processes that are measured.
const role = "PAWL_STEADYCALL"

func main() {
	list := flag.Bool("list", false, "print the functions, file by file")
	only := flag.String("only", "", "measure only this case: "+strings.Join(names(), ", "))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := error(nil)
	switch part := os.Getenv(role); part {
	case "":
		err = measureAll(ctx, *only, *list)
	case owning:
		err = own(flag.Arg(0))
	default:
		err = play(ctx, part, flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "steadycall:", err)
		os.Exit(1)
	}
}

func measureAll(ctx context.Context, only string, list bool) error {
	if only != "" && !slices.Contains(names(), only) {
		return fmt.Errorf("there is no case %q", only)
	}
	dir, err := os.MkdirTemp("", "steadycall")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := build(ctx, dir)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if only != "" && c.name != only {
			continue
		}
		ran, err := program.measure(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		ran.print(os.Stdout, c.name, list)
	}
	return nil
}
