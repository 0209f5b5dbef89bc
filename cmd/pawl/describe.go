package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

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
	fmt.Fprintf(b, "%s/%s\n", a.User, a.Device)
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

func row(b *strings.Builder, name, value string) { fmt.Fprintf(b, "  %-14s %s\n", name, value) }
