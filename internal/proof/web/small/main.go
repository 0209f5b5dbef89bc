//go:build js

// Small is a program that opens a store, encrypts and decrypts, and can do nothing else: what
// the least of Pawl weighs in a browser ("make wasm").
package main

import (
	"context"
	"syscall/js"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/idbkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

var machine *pawl.Machine

func main() {
	for name, do := range map[string]func(context.Context, []js.Value) (any, error){"open": open, "encrypt": encrypt, "decrypt": decrypt} {
		js.Global().Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any {
			back := args[0]
			go func() {
				result, err := do(context.Background(), args[1:])
				if err != nil {
					back.Invoke(string(pawl.CodeOf(err)), nil)
					return
				}
				back.Invoke("", result)
			}()
			return nil
		}))
	}
	select {}
}

// open has the database, a key of 32 bytes, user and device.
func open(ctx context.Context, args []js.Value) (any, error) {
	var key [32]byte
	js.CopyBytesToGo(key[:], args[1])
	engine, err := idbkv.Open(ctx, args[0].String())
	if err != nil {
		return nil, err
	}
	store, err := pawl.Open(ctx, engine, pawl.WithKey(key))
	if err != nil {
		return nil, err
	}
	machine, err = store.OpenOrCreate(ctx, matrix.UserID(args[2].String()), matrix.DeviceID(args[3].String()))
	return nil, err
}

// encrypt has a peer and a text.
func encrypt(ctx context.Context, args []js.Value) (any, error) {
	peer, err := ratchet.ParsePublicKey(args[0].String())
	if err != nil {
		return nil, err
	}
	made, err := machine.Encrypt(ctx, peer, []byte(args[1].String()))
	return string(made.Message.Body), err
}

// decrypt has the sender, the message's type and its body.
func decrypt(ctx context.Context, args []js.Value) (any, error) {
	sender, err := ratchet.ParsePublicKey(args[0].String())
	if err != nil {
		return nil, err
	}
	made, err := machine.Decrypt(ctx, sender, ratchet.Message{Type: ratchet.MessageType(args[1].Int()), Body: []byte(args[2].String())})
	return string(made.Plaintext), err
}
