package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

type inspectCommand struct {
	storeFlags
	json bool
	show parts
}

func newInspect() *cobra.Command {
	var c inspectCommand
	cmd := &cobra.Command{
		Use:   "inspect STORE",
		Short: "Show accounts, keys and sessions without their secrets",
		Long: `Show the public parts of all accounts, or of one: keys, peers, sessions with the
indices of their chains and the versions of their records, and counts.

Nothing is written, in the store or beside it: of a store that another process has
open that one is asked, and of another a private copy is read in the directory for
temporary files. That an account needs recovery is shown, and noted when the store
is opened to be used.

Of rooms, devices, requests and peers that could not be read only the numbers are
shown, unless they are asked for.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	cli.BindJSON(cmd, &c.json)
	c.show.bind(cmd)
	return cmd
}

func (c *inspectCommand) run(cmd *cobra.Command, args []string) error {
	all := []inspectionJSON{}
	damaged := 0
	var log *logJSON
	err := c.passphraseFlags.look(cmd, args[0], func(o *opened) (err error) {
		if log, err = heldLog(cmd.Context(), underLook(o.engine)); err != nil {
			return err
		}
		return c.eachOf(cmd.Context(), o, func(m *pawl.Machine, _ pawl.Identity) error {
			seen, err := m.Inspect(cmd.Context())
			all = append(all, inspectionOf(seen, c.show))
			damaged += len(seen.Damaged)
			return err
		})
	})
	if !isOnlyDamage(err) || err != nil && len(all) == 0 && !c.json {
		return err // not that there are no accounts
	}
	return cmp.Or(c.print(cmd.OutOrStdout(), all, log), err, passedOver(damaged))
}

func (c *inspectCommand) print(w io.Writer, all []inspectionJSON, log *logJSON) error {
	if c.json {
		return cli.PrintJSON(w, struct {
			Accounts []inspectionJSON `json:"accounts"`
			Log      *logJSON         `json:"log,omitempty"`
		}{all, log})
	}
	return cmp.Or(describeAccounts(w, all), describeLog(w, log))
}

// logJSON is a log of SQLite's that cannot begin anew, and the processes that it
// waits for, if they are seen.
type logJSON struct {
	Bytes     int64 `json:"bytes"`
	Processes []int `json:"processes"`
}

// heldLog returns nothing if the log is as short as it should be.
func heldLog(ctx context.Context, engine kv.Store) (*logJSON, error) {
	store, ok := kv.As[*sqlitekv.Store](engine)
	if !ok {
		return nil, nil
	}
	state, err := store.Log(ctx)
	if err != nil || !state.Long {
		return nil, err
	}
	return &logJSON{state.Bytes, append([]int{}, state.Readers...)}, nil
}

func describeLog(w io.Writer, log *logJSON) error {
	if log == nil {
		return nil
	}
	who := "a process that is stopped in the middle of a read, or the next commit"
	if len(log.Processes) > 0 {
		who = strings.Trim(fmt.Sprint(log.Processes), "[]")
		who = "process " + strings.ReplaceAll(who, " ", ", ") + ", in the middle of a read: is it stopped?"
	}
	_, err := fmt.Fprintf(w, "\nthe log has %d MiB and waits for %s\n", log.Bytes>>20, who)
	return err
}

// inspectionJSON is a pawl.Inspection as it is printed.
type inspectionJSON struct {
	accountJSON
	Created  string       `json:"created"`
	Retired  string       `json:"retired,omitempty"`  // where it moved
	Recovery string       `json:"recovery,omitempty"` // why it must be recovered
	Keys     keysJSON     `json:"one_time_keys"`
	Receipts receiptsJSON `json:"receipts"`
	Peers    []peerJSON   `json:"peers"`
	clientJSON
	Damaged []string `json:"damaged,omitempty"` // what could not be shown
}

type keysJSON struct {
	Generated        int    `json:"generated"`
	Offered          int    `json:"offered"`
	Published        int    `json:"published"`
	Abandoned        int    `json:"abandoned"`
	Used             int    `json:"used"`
	NextID           string `json:"next_id"`
	Fallback         string `json:"fallback,omitempty"`
	PreviousFallback string `json:"previous_fallback,omitempty"`
}

type receiptsJSON struct {
	Open         int `json:"open"`
	Acknowledged int `json:"acknowledged"`
}

type peerJSON struct {
	Curve25519 string        `json:"curve25519"`
	Version    uint64        `json:"version"`
	Sessions   []sessionJSON `json:"sessions"`
}

type sessionJSON struct {
	ID           string      `json:"id"`
	Version      uint64      `json:"version"`
	Origin       string      `json:"origin"`
	Created      string      `json:"created"`
	LastReceived string      `json:"last_received,omitempty"`
	LastSent     string      `json:"last_sent,omitempty"`
	ReceiveOnly  bool        `json:"receive_only,omitempty"` // since a recovery
	Sending      *chainJSON  `json:"sending,omitempty"`
	Receiving    []chainJSON `json:"receiving"`
}

type chainJSON struct {
	RatchetKey string `json:"ratchet_key"`
	Index      uint32 `json:"index"`
	Skipped    int    `json:"skipped"`
}

func inspectionOf(in pawl.Inspection, show parts) inspectionJSON {
	out := inspectionJSON{
		accountJSON: accountOf(in.Identity), Created: in.Identity.Created.UTC().Format(time.RFC3339),
		Retired: in.Retired, Recovery: in.Recovery, Keys: keysOf(in.Keys),
		Receipts: receiptsJSON{in.Receipts.Open, in.Receipts.Acknowledged},
		Peers:    []peerJSON{}, clientJSON: clientOf(in, show),
	}
	for _, err := range in.Damaged {
		out.Damaged = append(out.Damaged, plain(err))
	}
	for _, p := range in.Peers {
		peer := peerJSON{p.Curve25519.String(), uint64(p.Version), []sessionJSON{}}
		for _, s := range p.Sessions {
			peer.Sessions = append(peer.Sessions, sessionOf(s))
		}
		out.Peers = append(out.Peers, peer)
	}
	return out
}

func keysOf(k pawl.KeyCounts) keysJSON {
	return keysJSON{
		k.Generated, k.Offered, k.Published, k.Abandoned, k.Used,
		k.NextID.String(), keyID(k.Fallback), keyID(k.PreviousFallback),
	}
}

func keyID(id otk.ID) string {
	if id == 0 {
		return ""
	}
	return id.String()
}

func sessionOf(s pawl.SessionInfo) sessionJSON {
	out := sessionJSON{
		ID: s.ID.String(), Version: uint64(s.Version), Origin: s.Origin.String(),
		Created: stamp(s.Created), LastReceived: stamp(s.LastReceived), LastSent: stamp(s.LastSent), ReceiveOnly: s.ReceiveOnly,
		Receiving: []chainJSON{},
	}
	if s.Sending != nil {
		chain := chainOf(*s.Sending)
		out.Sending = &chain
	}
	for _, c := range s.Receiving {
		out.Receiving = append(out.Receiving, chainOf(c))
	}
	return out
}

func chainOf(c ratchet.ChainInfo) chainJSON {
	return chainJSON{c.RatchetKey.String(), c.Index, c.Skipped}
}

func stamp(s session.Stamp) string {
	if s == 0 {
		return ""
	}
	return s.Time().UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// describeAccounts prints accounts for people.
func describeAccounts(w io.Writer, all []inspectionJSON) error {
	var b strings.Builder
	for i, a := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		describeAccount(&b, a)
		for _, p := range a.Peers {
			describePeer(&b, p)
		}
	}
	if len(all) == 0 {
		b.WriteString("no accounts\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func describeAccount(b *strings.Builder, a inspectionJSON) {
	fmt.Fprintf(b, "%s\n", shownName(a.User, a.Device))
	row(b, "curve25519", a.Curve25519)
	row(b, "ed25519", a.Ed25519)
	row(b, "created", a.Created)
	if a.Retired != "" {
		row(b, "retired", "moved to "+a.Retired)
	}
	if a.Recovery != "" {
		row(b, "recovery", "needed before it sends: "+a.Recovery)
	}
	k := a.Keys
	row(b, "one-time keys", fmt.Sprintf("%d generated, %d offered, %d published, %d abandoned, %d used", k.Generated, k.Offered, k.Published, k.Abandoned, k.Used))
	row(b, "fallback key", fmt.Sprintf("%s, before it %s", cmp.Or(k.Fallback, "none"), cmp.Or(k.PreviousFallback, "none")))
	row(b, "receipts", fmt.Sprintf("%d open, %d acknowledged", a.Receipts.Open, a.Receipts.Acknowledged))
	row(b, "peers", fmt.Sprint(len(a.Peers)))
	describeClient(b, a.clientJSON)
	for _, d := range a.Damaged {
		row(b, "damaged", d)
	}
}

func describePeer(b *strings.Builder, p peerJSON) {
	fmt.Fprintf(b, "\n  peer %s (version %d)\n", p.Curve25519, p.Version)
	for _, s := range p.Sessions {
		fmt.Fprintf(b, "    session %s (version %d)\n", s.ID, s.Version)
		fmt.Fprintf(b, "      opened %s: %s; received %s; sent %s\n",
			s.Created, s.Origin, cmp.Or(s.LastReceived, "never"), cmp.Or(s.LastSent, "never"))
		if s.ReceiveOnly {
			b.WriteString("      only receives, since a recovery\n")
		} else if s.Sending != nil {
			fmt.Fprintf(b, "      sending   %s next %d\n", s.Sending.RatchetKey, s.Sending.Index)
		}
		for _, c := range s.Receiving {
			fmt.Fprintf(b, "      receiving %s next %d, %d skipped\n", c.RatchetKey, c.Index, c.Skipped)
		}
	}
}

func row(b *strings.Builder, name, value string) {
	fmt.Fprintf(b, "  %-14s %s\n", name, cli.Shown(value))
}
