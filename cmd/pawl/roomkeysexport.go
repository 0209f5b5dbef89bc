package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/roomkeyfile"
)

type roomKeysExportCommand struct{ roomKeysFlags }

func newRoomKeysExport() *cobra.Command {
	var c roomKeysExportCommand
	cmd := &cobra.Command{
		Use:   "export STORE FILE",
		Short: "Write an account's room keys to a file under a passphrase",
		Long: `Write the room keys of an account to a file under a passphrase, from which any
Matrix client can import them. With - for FILE they go to standard output.

FILE gets its name when it is whole and on the disk, and nobody else may read it.
One that is there already is never replaced.

Whoever has the file and the passphrase reads the rooms: choose a long one.`,
		Example: "  pawl room-keys export phone.pawl keys.txt",
		Args:    cli.Arguments(storeAndFile),
		RunE:    c.run,
	}
	c.bind(cmd)
	return cmd
}

// exportedKeysJSON counts what was exported.
type exportedKeysJSON struct {
	Exported int `json:"exported"`
	Damaged  int `json:"damaged"` // records that could not be read
}

func (c *roomKeysExportCommand) run(cmd *cobra.Command, args []string) error {
	rooms, err := c.check(cmd.Context(), args)
	if err != nil {
		return err
	}
	if c.json && args[1] == standard {
		return cli.Usagef("--json is for a FILE: the keys go to standard output")
	}
	out, err := createExport(cmd, args[1])
	if err != nil {
		return err
	}
	done, err := c.export(cmd, args[0], out, rooms)
	if err != nil {
		return errors.Join(err, out.Abandon())
	}
	if err := out.Finish(); err != nil {
		return exportError(args[1], err)
	}
	if args[1] != standard {
		if err := c.print(cmd, done, args[1]); err != nil {
			return err
		}
	}
	return passedOver(done.Damaged)
}

func (c *roomKeysExportCommand) export(cmd *cobra.Command, store string, out io.Writer, rooms []matrix.RoomID) (done exportedKeysJSON, err error) {
	passphrase, err := c.passphrase(cmd, true)
	if err != nil {
		return done, err
	}
	w, err := roomkeyfile.NewWriter(out, rand.Reader, passphrase)
	if err != nil {
		return done, ofFile(err)
	}
	bar := newBar(cmd, "exporting")
	defer bar.finish()
	how := pawl.RoomKeyExport{Rooms: rooms, Damaged: func(error) { done.Damaged++ }, Progress: bar.step()}
	err = c.with(cmd, store, existing, func(m *pawl.Machine) error {
		for key, err := range m.ExportRoomKeys(cmd.Context(), how) {
			if err != nil {
				return err
			}
			if err := w.Add(key); err != nil {
				return ofFile(err)
			}
		}
		return nil
	})
	if err != nil {
		return done, err
	}
	done.Exported = w.Count()
	return done, ofFile(w.Close())
}

func (c *roomKeysExportCommand) print(cmd *cobra.Command, done exportedKeysJSON, path string) error {
	w := cmd.OutOrStdout()
	if c.json {
		return cli.PrintJSON(w, done)
	}
	_, err := fmt.Fprintf(w, "exported %s to %s\n", counted(done.Exported, "room key"), cli.Shown(path))
	return err
}

// exportFile is where room keys go.
type exportFile interface {
	io.Writer
	Finish() error
	Abandon() error
}

func createExport(cmd *cobra.Command, path string) (exportFile, error) {
	if path == standard {
		return standardOutput{cmd.OutOrStdout()}, nil
	}
	file, err := files.CreateWhole(path)
	if err != nil {
		return nil, exportError(path, err)
	}
	return file, nil
}

func exportError(path string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: give another name, or remove it", path)
	}
	return ofFile(err)
}

// standardOutput is whole as soon as it was written: what reads it sees whether the last
// line is there.
type standardOutput struct{ io.Writer }

// Finish implements exportFile.
func (standardOutput) Finish() error { return nil }

// Abandon implements exportFile.
func (standardOutput) Abandon() error { return nil }
