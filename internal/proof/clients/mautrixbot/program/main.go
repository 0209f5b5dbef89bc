// Command program is mautrix-go's client by itself, for tests of other modules: it needs the
// build tag goolm, or libolm and a C compiler.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/mautrixbot"
)

func main() {
	if err := bot.Serve(context.Background(), os.Stdin, os.Stdout, mautrixbot.Open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
