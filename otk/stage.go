package otk

import (
	"fmt"
)

// Stage is how far a one-time key has come. That it was used is not a stage:
// the pool then forgets the key.
type Stage uint8

const (
	// Generated: known to nobody, and may be offered.
	Generated Stage = 1
	// Offered: in the body of one upload whose outcome is not known yet.
	Offered Stage = 2
	// Published: the server has it, or has handed it out.
	Published Stage = 3
	// Abandoned: the server may have it; never offered again.
	Abandoned Stage = 4
)

// String returns the stage in lower case.
func (s Stage) String() string {
	switch s {
	case Generated:
		return "generated"
	case Offered:
		return "offered"
	case Published:
		return "published"
	case Abandoned:
		return "abandoned"
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// advance returns the stage after s on the way to an upload's outcome. Staying
// is allowed, so that an outcome may be reported twice.
func (s Stage) advance(to Stage) (Stage, error) {
	if s != to && s != Offered {
		return s, fmt.Errorf("%w: %v cannot become %v", ErrStage, s, to)
	}
	return to, nil
}
