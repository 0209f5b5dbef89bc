package command

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/cli"
)

// TestReportApart: a report does not go over its result, nor a page over a document.
func TestReportApart(t *testing.T) {
	dir := t.TempDir()
	result, page := filepath.Join(dir, resultFile), filepath.Join(dir, "page")
	err := errors.Join(os.WriteFile(result, nil, 0o600), os.WriteFile(page, nil, 0o600), os.Symlink(result, filepath.Join(dir, "link")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{{dir, result, ""}, {result, filepath.Join(dir, "link"), ""}, {result, "", result}, {result, page, page}} {
		var usage *cli.UsageError
		if err := apart(c[0], c[1], c[2]); !errors.As(err, &usage) {
			t.Errorf("%q: %v, want a usage error", c, err)
		}
	}
	if err := apart(dir, page, filepath.Join(dir, "new")); err != nil {
		t.Error(err)
	}
}
