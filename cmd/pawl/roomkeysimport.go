package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/roomkeyfile"
)

type roomKeysImportCommand struct {
	roomKeysFlags
	dry bool
}

func newRoomKeysImport() *cobra.Command {
	var c roomKeysImportCommand
	cmd := &cobra.Command{
		Use:   "import STORE FILE",
		Short: "Read room keys from a file that a Matrix client has exported",
		Long: `Read room keys from a file that a Matrix client has exported, and join them to what
the store has: nothing that could be read before is lost, and importing a file twice
changes nothing. With - for FILE it is standard input.

The whole file is verified before anything of it is believed. A key in it that cannot
be used is counted, with why, and passed over. What was forgotten on purpose stays so.
If it is interrupted, give the same command again.`,
		Example: "  pawl room-keys import phone.pawl element-keys.txt --dry-run",
		Args:    cli.Arguments(storeAndFile),
		RunE:    c.run,
	}
	c.bind(cmd)
	cmd.Flags().BoolVar(&c.dry, "dry-run", false, "only count what would be imported")
	return cmd
}

// importedKeysJSON counts what became of the keys of a file.
type importedKeysJSON struct {
	DryRun  bool `json:"dry_run,omitempty"`
	New     int  `json:"new"`
	Better  int  `json:"better"`
	Same    int  `json:"same"`
	Refused int  `json:"refused"`
	// Why has how many were refused with each code.
	Why map[pawl.Code]int `json:"why,omitempty"`

	damaged int                  // of those refused
	first   map[pawl.Code]int    // the first that was refused with a code, from 1
	text    map[pawl.Code]string // why that one was
}

func (c *roomKeysImportCommand) run(cmd *cobra.Command, args []string) error {
	rooms, err := c.check(cmd.Context(), args)
	if err != nil {
		return err
	}
	file, err := openImport(cmd, args[1])
	if err != nil {
		return err
	}
	defer file.Close()
	keys, err := c.unlock(cmd, file, c.named(args[1]))
	if err != nil {
		return err
	}
	access := existing
	if c.dry {
		access = looking
	}
	done := importedKeysJSON{DryRun: c.dry, Why: map[pawl.Code]int{}, first: map[pawl.Code]int{}, text: map[pawl.Code]string{}}
	how := pawl.RoomKeyImport{Rooms: rooms, DryRun: c.dry, Refused: done.refuse}
	err = c.with(cmd, args[0], access, func(m *pawl.Machine) error {
		bar := newBar(cmd, "importing")
		defer bar.finish()
		counts, err := m.ImportRoomKeysFrom(cmd.Context(), stepping(keys, bar), how)
		done.New, done.Better, done.Same, done.Refused = counts.New, counts.Better, counts.Same, counts.Refused
		return err
	})
	if err != nil {
		return err
	}
	if err := c.print(cmd, done); err != nil {
		return err
	}
	return passedOver(done.damaged)
}

func (c *roomKeysImportCommand) named(path string) string {
	if path == standard {
		return "standard input"
	}
	return path
}

// unlock looks at the file before its passphrase is asked for. What is wrong with the
// passphrase's own source is not said of the file.
func (c *roomKeysImportCommand) unlock(cmd *cobra.Command, file io.ReadSeeker, name string) (*roomkeyfile.Reader, error) {
	keys, err := roomkeyfile.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, ofFile(err))
	}
	warn := func(format string, args ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), "pawl: warning: "+format+"\n", args...)
	}
	if n := keys.Rounds(); n < roomkeyfile.WeakRounds {
		warn("the file has %d rounds, and %d are few already: its passphrase is easily found by trying", n, roomkeyfile.WeakRounds)
	}
	if keys.Another() {
		warn("another room key file follows in the same one, and is not read: import it from a file of its own")
	}
	passphrase, err := c.passphrase(cmd, false)
	if err != nil {
		return nil, err
	}
	if err := keys.Unlock(cmd.Context(), passphrase); err != nil {
		return nil, fmt.Errorf("%s: %w", name, ofFile(err))
	}
	return keys, nil
}

// stepping lets a bar go on with each key.
func stepping(keys *roomkeyfile.Reader, b *bar) iter.Seq2[group.RoomKey, error] {
	step := b.step()
	if step == nil {
		return keys.Keys()
	}
	return func(yield func(group.RoomKey, error) bool) {
		for key, err := range keys.Keys() {
			step(keys.Count())
			if !yield(key, err) {
				return
			}
		}
	}
}

func (j *importedKeysJSON) refuse(r pawl.RefusedRoomKey) {
	code := pawl.CodeOf(r.Err)
	if j.Why[code]++; j.Why[code] == 1 {
		j.first[code], j.text[code] = r.Place+1, plain(r.Err)
	}
	if errors.Is(r.Err, kv.ErrCorrupt) {
		j.damaged++
	}
}

func (c *roomKeysImportCommand) print(cmd *cobra.Command, done importedKeysJSON) error {
	w := cmd.OutOrStdout()
	if c.json {
		return cli.PrintJSON(w, done)
	}
	what := "imported"
	if c.dry {
		what = "would be imported"
	}
	if _, err := fmt.Fprintf(w, "%s: %d new, %d better, %d same, %d refused\n", what, done.New, done.Better, done.Same, done.Refused); err != nil {
		return err
	}
	for _, code := range slices.Sorted(maps.Keys(done.Why)) {
		if _, err := fmt.Fprintf(w, "  %d refused (%s), first number %d: %s\n", done.Why[code], code, done.first[code], cli.Shown(done.text[code])); err != nil {
			return err
		}
	}
	return nil
}

// openImport opens a file that can be read more than once: what cannot be is copied to
// a private one, which goes when it is closed.
func openImport(cmd *cobra.Command, path string) (*importFile, error) {
	from := cmd.InOrStdin()
	if path == standard {
		tellWaiting(cmd, "the room key file")
	} else {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("room key file: %w", err)
		}
		info, err := file.Stat()
		if err != nil || info.Mode().IsRegular() || info.IsDir() {
			return &importFile{file, false}, err
		}
		defer file.Close()
		from = file
	}
	return copyImport(&interruptible{ctx: cmd.Context(), from: from})
}

// importFile is a file that is read.
type importFile struct {
	*os.File
	private bool // a copy
}

func copyImport(from io.Reader) (*importFile, error) {
	file, err := os.CreateTemp("", "pawl-room-keys-")
	if err != nil {
		return nil, fmt.Errorf("a private copy is needed of what can be read only once: %w", ofFile(err))
	}
	private := &importFile{file, true}
	// Where an open file can be removed nothing is left of it, however this ends.
	_ = os.Remove(file.Name())
	_, err = io.Copy(file, from)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(ofFile(err), private.Close())
	}
	return private, nil
}

// Close removes a copy.
func (f *importFile) Close() error {
	err := f.File.Close()
	if f.private {
		_ = os.Remove(f.Name())
	}
	return err
}
