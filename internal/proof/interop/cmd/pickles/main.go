//go:build libolm

// Command pickles makes the fixtures of internal/pickle/libolm: what a device pickled
// with libolm or goolm, and what its peers sent it afterwards. From its module:
//
//	go run -tags libolm ./cmd/pickles ../../pickle/libolm/testdata/life
//
// Keys are random, so each run makes others. They have the form of those of vodozemac
// (bench/peers/rust/pickles).
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"maunium.net/go/mautrix/crypto/goolm/account"
	"maunium.net/go/mautrix/crypto/goolm/session"
	libolmc "maunium.net/go/mautrix/crypto/libolm"
	"maunium.net/go/mautrix/crypto/olm"
)

// pickleKey is that of all pickles.
var pickleKey = []byte("a pickle key of libolm may have any length")

// program is an implementation of Olm and Megolm.
type program struct {
	name       string
	newAccount func() (olm.Account, error)
	restore    func(pickled, key []byte) (olm.Account, error)
	newSender  func() (olm.OutboundGroupSession, error)
	newReader  func(key []byte) (olm.InboundGroupSession, error)
	newImport  func(key []byte) (olm.InboundGroupSession, error)
}

var programs = []program{{
	name:       "libolm",
	newAccount: func() (olm.Account, error) { return libolmc.NewAccount() },
	restore:    func(p, k []byte) (olm.Account, error) { return libolmc.AccountFromPickled(p, k) },
	newSender:  func() (olm.OutboundGroupSession, error) { return libolmc.NewOutboundGroupSession() },
	newReader:  func(k []byte) (olm.InboundGroupSession, error) { return libolmc.NewInboundGroupSession(k) },
	newImport:  func(k []byte) (olm.InboundGroupSession, error) { return libolmc.InboundGroupSessionImport(k) },
}, {
	name:       "goolm",
	newAccount: func() (olm.Account, error) { return account.NewAccount() },
	restore:    func(p, k []byte) (olm.Account, error) { return account.AccountFromPickled(p, k) },
	newSender:  func() (olm.OutboundGroupSession, error) { return session.NewMegolmOutboundSession() },
	newReader:  func(k []byte) (olm.InboundGroupSession, error) { return session.NewMegolmInboundSession(k) },
	newImport:  func(k []byte) (olm.InboundGroupSession, error) { return session.NewMegolmInboundSessionFromExport(k) },
}}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pickles:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: pickles DIR")
	}
	for _, p := range programs {
		made, err := p.live()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		made["key"] = base64.RawStdEncoding.EncodeToString(pickleKey)
		b, err := json.MarshalIndent(made, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(os.Args[1], p.name+".json"), append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}
