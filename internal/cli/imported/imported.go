// Package imported is what the commands that import a device from another program tell of
// it.
package imported

import (
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// Report is what was imported, or would be.
type Report struct {
	User          matrix.UserID   `json:"user"`
	Device        matrix.DeviceID `json:"device"`
	DryRun        bool            `json:"dry_run"`
	Before        bool            `json:"imported_before"`
	NeedsRecovery bool            `json:"needs_recovery"`
	OneTimeKeys   struct {
		Published int `json:"published"`
		Abandoned int `json:"abandoned"`
		Used      int `json:"used"`
	} `json:"one_time_keys"`
	FallbackKeys int `json:"fallback_keys"`
	Sessions     int `json:"sessions"`
	Dropped      int `json:"dropped_sessions"`
	RoomKeys     struct {
		Given   int      `json:"given"`
		New     int      `json:"new"`
		Better  int      `json:"better"`
		Same    int      `json:"same"`
		Refused []string `json:"refused,omitempty"`
	} `json:"room_keys"`
}

// Of returns the report of a device that was imported, or would be. An error is told as
// plain does.
func Of(d pawl.Import, done pawl.Imported, dryRun bool, plain func(error) string) Report {
	r := Report{User: d.UserID, Device: d.DeviceID, DryRun: dryRun, Before: done.Before, NeedsRecovery: done.NeedsRecovery}
	r.OneTimeKeys.Published, r.OneTimeKeys.Abandoned, r.OneTimeKeys.Used = done.Published, done.Abandoned, done.Used
	r.FallbackKeys, r.Sessions, r.Dropped = done.FallbackKeys, done.Sessions, done.Dropped
	k := done.RoomKeys
	r.RoomKeys.Given, r.RoomKeys.New, r.RoomKeys.Better, r.RoomKeys.Same = len(d.RoomKeys), k.New, k.Better, k.Same
	for _, one := range k.Refused {
		r.RoomKeys.Refused = append(r.RoomKeys.Refused, fmt.Sprintf("%s: %s", one.Session, plain(one.Err)))
	}
	return r
}
