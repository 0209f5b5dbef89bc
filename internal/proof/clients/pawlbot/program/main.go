// Command program is a client on Pawl by itself: pawlbot as one of the kinds in
// [pawlbot.Engines], which its argument names. It links nobody else's client, so that it
// can be built with what the others cannot be, as the race detector.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/pawlbot"
)

func main() {
	var engine pawlbot.Engine
	if len(os.Args) == 2 {
		engine = pawlbot.Engines[os.Args[1]]
	}
	if engine == nil {
		fmt.Fprintln(os.Stderr, "usage: program pawl-badger | pawl-sqlite")
		os.Exit(2)
	}
	if err := bot.Serve(context.Background(), os.Stdin, os.Stdout, pawlbot.On(engine)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
