// Pawl keeps a Matrix device's encryption state in a store and uses it from
// the command line:
//
//	pawl init phone.pawl --user @alice:example.org --device PHONE
//	pawl keys phone.pawl > upload.json
//	pawl encrypt phone.pawl --to CURVE25519 --one-time-key KEY < letter
//	pawl decrypt phone.pawl --from CURVE25519 < message.json
//
// It exits with 0 when it is done, with 1 when something failed, which one line
// on standard error tells, with 2 when the command line is wrong, and with 130
// after Ctrl-C. Binary fields are standard base64, and come out without padding.
//
// [pawl demo] shows what Pawl is for, and [pawl bench] what it costs.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx := untilSignaled(signals, func() { signal.Stop(signals) })
	// That nobody reads the output is an error like others: stores are closed
	// and temporary directories removed.
	signal.Ignore(answered...)
	ran, err := newRoot().ExecuteContextC(ctx)
	os.Exit(exit(os.Stderr, ran, err))
}
