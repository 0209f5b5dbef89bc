// Command bot is one process of a Matrix device, driven from outside: it reads
// commands on standard input and writes answers and events on standard output, one JSON
// object a line (docs/bot-protocol.md). Any number of processes may be started on one
// store and one access token.
//
// It is a plain client of mautrix-go. Which encryption it has is chosen in one file:
// pawl.go, or cryptohelper.go with the build tag "cryptohelper", for comparison:
//
//	go build -tags goolm ./examples/bot
//	go build -tags goolm,cryptohelper -o stock ./examples/bot
package main
