package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/cli/imported"
	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// report is what was imported, or would be.
type report struct {
	imported.Report
	Schema   int      `json:"schema"`
	Outbound int      `json:"outbound_sessions_retired"`
	Withheld int      `json:"withheld"`
	Messages int      `json:"messages"`
	Rooms    int      `json:"encrypted_rooms"`
	Users    int      `json:"users"`
	Devices  int      `json:"devices"`
	Secrets  int      `json:"secrets"`
	Token    bool     `json:"sync_token"`
	Unread   []unread `json:"unread,omitempty"`
}

type unread struct {
	Table string `json:"table"`
	Row   string `json:"row"`
	Error string `json:"error"`
}

func (c *importCommand) print(w io.Writer, place string, d pawlmautrix.DatabaseDevice, done pawl.Imported) error {
	in := d.Import
	r := report{
		Report: imported.Of(in, done, c.dryRun, error.Error), Schema: d.Schema,
		Outbound: d.Outbound, Withheld: len(in.Withheld), Messages: len(in.Messages),
		Rooms: len(in.Rooms), Users: len(in.Users), Devices: d.Devices, Secrets: d.Secrets, Token: in.Since != "",
	}
	for _, one := range d.Unread {
		r.Unread = append(r.Unread, unread{one.Table, one.Row, one.Err.Error()})
	}
	if c.json {
		return cli.PrintJSON(w, r)
	}
	_, err := io.WriteString(w, r.text(place))
	return err
}

func (r report) text(place string) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(cli.Shown(fmt.Sprintf(format, args...)) + "\n") }
	verb := "imported"
	switch {
	case r.Before:
		verb = "was imported before, and stays as it is; the database has"
	case r.DryRun:
		verb = "would get"
	}
	keys := r.OneTimeKeys
	line("%s/%s: %s", r.User, r.Device, verb)
	line("  one-time keys: %d published, %d not, %d used", keys.Published, keys.Abandoned, keys.Used)
	line("  Olm sessions: %d (%d more were left out: a peer has too many)", r.Sessions, r.Dropped)
	line("  room keys: %d (%d refused), withheld: %d, sessions to send in that are given up: %d", r.RoomKeys.Given, len(r.RoomKeys.Refused), r.Withheld, r.Outbound)
	line("  encrypted rooms: %d, messages that were read: %d", r.Rooms, r.Messages)
	line("  users followed: %d, devices: %d, secrets: %d", r.Users, r.Devices, r.Secrets)
	for _, one := range r.RoomKeys.Refused {
		line("refused: %s", one)
	}
	for _, one := range r.Unread {
		line("left out: %s, row %q: %s", one.Table, one.Row, one.Error)
	}
	if !r.Token {
		line("There was no sync token: syncs begin anew.")
	}
	if r.NeedsRecovery {
		line("It only receives until 'pawl recover %s': stop the old program first.", place)
	}
	return b.String()
}
