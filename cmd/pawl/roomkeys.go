package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

func newRoomKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "room-keys",
		Short: "Export room keys to a file, or import them from one",
		Long: `Export room keys to a file under a passphrase, or import them from one: the file
that all Matrix clients export and import.`,
		Args: cli.Arguments(cli.NoSuchCommand),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(newRoomKeysExport(), newRoomKeysImport())
	return cmd
}

// standard stands for standard input or output in the place of a file.
const standard = "-"

const filePassphraseEnv = "PAWL_FILE_PASSPHRASE"

// roomKeysFlags are those of both commands.
type roomKeysFlags struct {
	storeFlags
	file  passphraseFlags // of the file
	rooms []string
	json  bool
}

func (f *roomKeysFlags) bind(cmd *cobra.Command) {
	f.storeFlags.bind(cmd)
	f.file.env, f.file.name, f.file.flag = filePassphraseEnv, "passphrase of the room key file", "file-passphrase-file"
	cmd.Flags().StringVar(&f.file.file, f.file.flag, "", "read the file's passphrase from `FILE`, which has one line (or set "+filePassphraseEnv+"; else it is asked for)")
	cmd.Flags().StringArrayVar(&f.rooms, "room", nil, "only keys of this `ROOM`; may be given more than once")
	cli.BindJSON(cmd, &f.json)
}

// storeAndFile is for commands that take a store and a file.
func storeAndFile(_ *cobra.Command, args []string) error {
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return errors.New("give the store and the file")
	}
	return nil
}

// check looks at what was given, before anything is asked for or opened.
func (f *roomKeysFlags) check(ctx context.Context, args []string) ([]matrix.RoomID, error) {
	p, err := parsePlace(args[0])
	if err != nil {
		return nil, err
	}
	if err := p.require(ctx); err != nil {
		return nil, err
	}
	if args[1] != standard {
		if err := p.apartFrom("the room key file", args[1]); err != nil {
			return nil, err
		}
	}
	if err := p.apartFrom("the passphrase file", f.file.file); err != nil {
		return nil, err
	}
	var rooms []matrix.RoomID
	for _, text := range f.rooms {
		room, err := matrix.ParseRoomID(text)
		if err != nil {
			return nil, cli.Usagef("--room: %w", err)
		}
		rooms = append(rooms, room)
	}
	return rooms, nil
}

// passphrase gets that of the file. One that nobody gave is asked for.
func (f *roomKeysFlags) passphrase(cmd *cobra.Command, new bool) ([]byte, error) {
	f.file.ask = os.Getenv(filePassphraseEnv) == ""
	given, err := f.file.read(cmd, new)
	if err != nil {
		return nil, err
	}
	return given.text.Reveal(), nil
}

// mostHeld is the memory that garbage may fill up to: of 100,000 keys, whose garbage is
// some hundreds of megabytes, it is not to take more than they need.
const mostHeld = 32 << 20

// with opens the store and the one account that is meant.
func (f *roomKeysFlags) with(cmd *cobra.Command, store string, a access, fn func(*pawl.Machine) error) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(mostHeld)
	}
	return f.passphraseFlags.useFor(cmd, store, a, f.onOne(cmd, func(_ *opened, m *pawl.Machine) error { return fn(m) }))
}

// ofFile makes an error of a file beside the store that of a full disk, if it is one:
// what is to be done then is the same. Others say by themselves what is wrong.
func ofFile(err error) error {
	if full := kv.OfSystem(err); errors.Is(full, kv.ErrDiskFull) {
		return full
	}
	return err
}
