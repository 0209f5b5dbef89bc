package main

import "time"

// text is what is encrypted: 1 KiB.
var text = make([]byte, 1024)

// operation is a row of the table.
type operation string

const (
	encryptHeld  operation = "in-chain encrypt (state in hand)"
	decryptHeld  operation = "in-chain decrypt (state in hand)"
	decryptTurn  operation = "decrypt with a DH step"
	openInbound  operation = "new session inbound + decrypt"
	openOutbound operation = "new session outbound + encrypt"
	openClaims   operation = "163 claims into sessions"
	makeKeys     operation = "50 one-time keys"
	storeLoad    operation = "encode + seal, open + decode"
	decryptSkip  operation = "decrypt skipping 39"

	megolmEncrypt operation = "Megolm encrypt"
	megolmDecrypt operation = "Megolm decrypt"
	megolmAdvance operation = "Megolm advance 10,000"
)

// rows are the operations and the ratio to goolm that Pawl must reach.
var rows = []struct {
	operation operation
	target    float64
}{
	{encryptHeld, 0.70},
	{decryptHeld, 0.75},
	{decryptTurn, 0.60},
	{openInbound, 0.55},
	{openOutbound, 0.45},
	{openClaims, 0.45},
	{makeKeys, 0.30},
	{storeLoad, 0.50},
	{decryptSkip, 0.80},
	{megolmEncrypt, 0.75},
	{megolmDecrypt, 0.85},
	{megolmAdvance, 0.80},
}

const (
	keysAtOnce = 50
	claimed    = 163
	skipAtOnce = 39

	megolmMessages = 100 // in a session, as rotation has it
	megolmAhead    = 10_000
)

// prepare makes everything that n operations need, outside the measured part,
// and returns the i-th operation.
type prepare func(n int) (run func(i int) error, err error)

// contestant is an implementation and what it does for each operation.
type contestant struct {
	name string
	also string // what is measured
	does map[operation]prepare
	// spend is set instead of does for one in another process: the CPU time of
	// n operations there.
	spend func(op operation, n int) (time.Duration, error)
}

// batch returns the CPU time of n operations.
func (c contestant) batch(op operation, n int) (time.Duration, error) {
	if c.spend != nil {
		return c.spend(op, n)
	}
	return batch(c.does[op], n)
}
