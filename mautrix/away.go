package pawlmautrix

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"

	"github.com/pawlkv/pawl/kv"
)

// waiting makes a call again while it fails with an error that passes, and tells the log
// once a minute. It returns the last error, also where ctx has ended.
func waiting(ctx context.Context, log zerolog.Logger, message string, passes func(error) bool, call func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 10*time.Second
	for told := (time.Time{}); ; {
		err := call()
		if err == nil || ctx.Err() != nil || !passes(err) {
			return err
		}
		if time.Since(told) > time.Minute {
			log.Err(err).Msg(message)
			told = time.Now()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// away reports an error of a store that is there again later, as one whose owner is
// stopped: it says nothing of what was to be read.
func away(err error) bool {
	return errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown) || errors.Is(err, kv.ErrDiskFull) || errors.Is(err, kv.ErrConflict)
}
