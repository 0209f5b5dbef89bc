package pgkv

import (
	"context"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/kv"
)

// Spaces returns the names of the spaces that were written to and begin with a text, in
// the order of their bytes.
func (d *DB) Spaces(ctx context.Context, prefix string) ([]string, error) {
	rows, err := d.read(ctx, newCall("spaces_named", prefix))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = string(r[0])
	}
	return names, nil
}

// Exists reports whether a space was written to.
func (d *DB) Exists(ctx context.Context, space string) (bool, error) {
	names, err := d.Spaces(ctx, space)
	return slices.Contains(names, space), err
}

// Rename gives a space a name that no other has. Nobody should have it open: whoever
// has finds nothing by the old name. Errors: those of a commit; kv.ErrInvalid for a
// name that another has, and for a space that is not there.
func (d *DB) Rename(ctx context.Context, space, to string) error {
	if err := checkName(to); err != nil {
		return err
	}
	if taken, err := d.Exists(ctx, to); taken || err != nil {
		if err == nil {
			err = fmt.Errorf("%w: there is a space %q", kv.ErrInvalid, to)
		}
		return err
	}
	rows, err := d.exec(ctx, newCall("rename", space).text(to))
	if err == nil && (len(rows) != 1 || string(rows[0][0]) != "t") {
		err = fmt.Errorf("%w: there is no space %q", kv.ErrInvalid, space)
	}
	return ofCommit(ctx, err)
}

// Remove removes a space with all that is in it, for good.
func (d *DB) Remove(ctx context.Context, space string) error {
	_, err := d.exec(ctx, newCall("remove", space))
	return ofCommit(ctx, err)
}
