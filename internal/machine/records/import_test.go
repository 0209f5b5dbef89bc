package records_test

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record/recordtest"
)

func TestImportIsStrict(t *testing.T) {
	begun := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	recordtest.Strict(t, records.Import{Program: "libolm", Digest: [32]byte{1}, Generation: 1<<64 - 1, Done: 7, Begun: begun}, records.Imports.Codec.Decode)
	recordtest.Strict(t, records.Import{Begun: begun, Finished: begun.Add(time.Hour)}, records.Imports.Codec.Decode)
}
