package ratchet_test

import (
	"testing"

	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/ratchet"
)

// outcomes are those that a vector may name, and the errors that they are.
var outcomes = map[string][]error{
	"accepted":      nil,
	"malformed":     {ratchet.ErrMalformed},
	"version":       {ratchet.ErrVersion},
	"mac":           {ratchet.ErrMAC},
	"key-gone":      {ratchet.ErrKeyGone},
	"gap":           {ratchet.ErrGap},
	"unknown-chain": {ratchet.ErrUnknownChain},
	"zero-secret":   {ratchet.ErrZeroSecret},
	"format":        {ratchet.ErrFormat},
}

func TestVectors(t *testing.T) {
	testfiles.Run(t, testfiles.Kinds{
		"olm-handshake":       runHandshakes,
		"olm-history":         runHistories,
		"olm-wire":            runWire,
		"pawl-session-record": runRecords,
	}, outcomes)
}

// vectorKey is a key pair.
type vectorKey struct {
	Private testfiles.Hex `json:"private"`
	Public  testfiles.Hex `json:"public"`
}

// pair computes the public part, which must be the one given.
func (k vectorKey) pair(t *testing.T) ratchet.KeyPair {
	t.Helper()
	p := ratchet.NewKeyPair([32]byte(k.Private))
	if p.Public() != ratchet.PublicKey(k.Public) {
		t.Fatalf("public key %v of a private key, expected %x", p.Public(), k.Public)
	}
	return p
}

// vectorDevice is one side's long-lived keys.
type vectorDevice struct {
	Identity vectorKey  `json:"identity"`
	OneTime  *vectorKey `json:"one_time"`
}
