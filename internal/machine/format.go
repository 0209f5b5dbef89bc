package machine

import (
	"context"
	"errors"
	"log/slog"

	"github.com/pawlkv/pawl/kv"
)

// Format returns the format of the store. It raises the store if it can: no
// record of format 2 is written before that. A store that could not be raised,
// whatever the reason, is as good as before.
func (s *Store) Format(ctx context.Context) kv.Format {
	if s.raised.Load() {
		return kv.NewestFormat
	}
	format, err := kv.Raise(ctx, s.DB.Store())
	if err != nil {
		if !errors.Is(err, kv.ErrClosed) && ctx.Err() == nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "the format of the store could not be raised", slog.Any("error", err))
		}
		return kv.Format1
	}
	s.raised.Store(format == kv.NewestFormat)
	return format
}
