package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
)

type encryptCommand struct {
	storeFlags
	to, oneTimeKey string
}

func newEncrypt() *cobra.Command {
	var c encryptCommand
	cmd := &cobra.Command{
		Use:   "encrypt STORE --to CURVE25519",
		Short: "Encrypt standard input for a device",
		Long: `Encrypt standard input for the device with an identity key and print the message,
{"type":0|1,"body":"..."}, as an event carries it.

The first message to a device needs one of its one-time keys, whose signature
you have verified. The message is printed after the step that made it is on the
disk, so no message key is ever used twice.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	cmd.Flags().StringVar(&c.to, "to", "", "the device's identity key, `CURVE25519`")
	cmd.Flags().StringVar(&c.oneTimeKey, "one-time-key", "", "open a new session with this one-time or fallback `KEY` of the device")
	cmd.MarkFlagRequired("to")
	return cmd
}

func (c *encryptCommand) run(cmd *cobra.Command, args []string) error {
	to, err := keyFlag("to", c.to)
	if err != nil {
		return err
	}
	var options []pawl.EncryptOption
	if cmd.Flags().Changed("one-time-key") {
		key, err := keyFlag("one-time-key", c.oneTimeKey)
		if err != nil {
			return err
		}
		options = append(options, pawl.WithOneTimeKey(key))
	}
	plaintext, err := readAll(input(cmd, "the plaintext"), "the plaintext", maxPlaintext)
	if err != nil {
		return err
	}
	return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error {
		made, err := m.Encrypt(cmd.Context(), to, plaintext, options...)
		if err != nil {
			return err
		}
		tellDamage(cmd, made.Damaged)
		if err := cli.PrintJSON(cmd.OutOrStdout(), messageOf(made.Message)); err != nil {
			return fmt.Errorf("the message was not printed, and cannot be had again: encrypt again: %w", err)
		}
		return nil
	})
}
