package kv_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestOfSystem: what passes by waiting is kv.ErrUnavailable, and nothing else is.
func TestOfSystem(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("other numbers there")
		return
	}
	for _, c := range []struct{ err, want error }{
		{syscall.ENOSPC, kv.ErrDiskFull},
		{syscall.EDQUOT, kv.ErrDiskFull},
		{syscall.EMFILE, kv.ErrUnavailable},
		{syscall.ENFILE, kv.ErrUnavailable},
		{syscall.ENOMEM, kv.ErrUnavailable},
		{syscall.EAGAIN, kv.ErrUnavailable},
		{syscall.EFBIG, kv.ErrUnusable},
		{syscall.EIO, kv.ErrUnusable},
		{syscall.ENOLCK, kv.ErrUnusable},
		{syscall.EROFS, kv.ErrUnusable},
		{syscall.EACCES, kv.ErrUnusable},
		{syscall.EPERM, kv.ErrUnusable},
		{syscall.ENOENT, kv.ErrUnusable},
		{syscall.ENOTDIR, kv.ErrUnusable},
		{syscall.ENOSYS, kv.ErrUnusable},
		{fs.ErrPermission, kv.ErrUnusable},
		{errors.New("something else"), kv.ErrUnusable},
	} {
		for _, err := range []error{c.err, &os.PathError{Op: "open", Path: "p", Err: c.err}} {
			got := kv.OfSystem(err)
			if !errors.Is(got, c.want) || !errors.Is(got, c.err) {
				t.Errorf("%v: %v, want %v", err, got, c.want)
			}
			if c.want != kv.ErrUnavailable && errors.Is(got, kv.ErrUnavailable) {
				t.Errorf("%v passes by waiting", err)
			}
		}
	}
	for _, kind := range []error{
		kv.ErrCorrupt, kv.ErrForeign, kv.ErrNewer, kv.ErrInUse, kv.ErrDiskFull, kv.ErrUnavailable, kv.ErrUnusable, kv.ErrClosed,
		context.Canceled, errors.ErrUnsupported,
	} {
		err := fmt.Errorf("open: %w", kind)
		if got := kv.OfSystem(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if err := kv.OfSystem(nil); err != nil {
		t.Error(err)
	}
}
