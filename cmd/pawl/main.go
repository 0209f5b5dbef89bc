// Pawl keeps a Matrix device's encryption state in a store and uses it from
// the command line:
//
//	pawl init phone.pawl --user @alice:example.org --device PHONE
//	pawl keys phone.pawl > upload.json
//	pawl encrypt phone.pawl --to CURVE25519 --one-time-key KEY < letter
//	pawl decrypt phone.pawl --from CURVE25519 < message.json
//
// It exits with 0 when it is done, with 1 when something failed, which one line
// on standard error tells, and with 2 when the command line is wrong. Binary
// fields are standard base64 without padding, going in and coming out.
//
// [pawl demo] shows what Pawl is for, and [pawl bench] what it costs.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	// That nobody reads the output is an error like others: stores are closed
	// and temporary directories removed.
	signal.Ignore(answered...)
	os.Exit(exit(os.Stderr, newRoot().ExecuteContext(ctx)))
}
