package kvtest

import (
	"slices"
	"strings"
)

// form is what steps of a verb look like.
type form struct {
	who     bool // somebody does it
	want    bool // something is expected
	args    func(args []string) bool
	expects func(args, want []string) bool
	play    func(*player, step)
}

// forms are the verbs of the language.
var forms map[string]form

// The verbs, by what they are about. It is done here since playing a step may
// play others.
func init() {
	forms = map[string]form{
		// The store.
		"setup":   {args: pairsOnly, play: (*player).setup},
		"remove":  {args: some, play: (*player).remove},
		"busy":    {args: exactly(1), play: (*player).busy},
		"version": {args: exactly(1), play: (*player).nameVersion},
		"close":   {args: exactly(0), play: (*player).close},
		"reopen":  {args: exactly(0), play: (*player).reopen},
		"final":   {want: true, args: whatever, expects: expectsPairs, play: (*player).final},

		// Transactions.
		"get":      {who: true, want: true, args: some, expects: expectsValues, play: (*player).get},
		"scan":     {who: true, want: true, args: exactly(1), expects: expectsPairs, play: (*player).scan},
		"first":    {who: true, want: true, args: exactly(2), expects: expectsPairs, play: (*player).first},
		"count":    {who: true, want: true, args: exactly(1), expects: expectsOne, play: (*player).count},
		"put":      {who: true, args: pairsOnly, play: (*player).put},
		"delete":   {who: true, args: some, play: (*player).del},
		"fill":     {who: true, args: exactly(1), play: (*player).fillUp},
		"as":       {who: true, args: exactly(1), play: (*player).as},
		"under":    {who: true, args: exactly(1), play: (*player).under},
		"unsynced": {who: true, args: exactly(0), play: (*player).unsynced},
		"commit":   {who: true, want: true, args: exactly(0), expects: expectsOutcome, play: (*player).commit},
		"hold":     {who: true, args: exactly(0), play: (*player).hold},
		"send":     {who: true, want: true, args: maybe("again"), expects: expectsOutcome, play: (*player).send},

		// Calls that may wait.
		"turn":    {who: true, args: whatever, play: (*player).askTurn},
		"granted": {who: true, args: maybe("by", "expiry"), play: (*player).granted},
		"release": {who: true, args: exactly(0), play: (*player).release},
		"commits": {who: true, args: pairsOnly, play: (*player).commitLater},
		"done":    {who: true, want: true, args: maybe("by", "expiry"), expects: expectsOutcome, play: (*player).done},
		"waits":   {who: true, args: exactly(0), play: (*player).waits},
		"watch":   {who: true, args: watchArgs, play: (*player).watch},
		"knows":   {who: true, args: whatever, play: (*player).knows},
		"cancel":  {who: true, args: exactly(0), play: (*player).cancel},
		"ends":    {who: true, want: true, args: exactly(0), expects: expectsOne, play: (*player).ends},
	}
}

// outcomeWords are what a call can come to but for values: of the commits, ok,
// same and conflict say more.
var outcomeWords = []string{"ok", "same", "conflict", "refused", "expired", "too-large", "invalid", "closed", "canceled", "gone"}

func whatever([]string) bool  { return true }
func some(args []string) bool { return len(args) > 0 }

func exactly(n int) func([]string) bool {
	return func(args []string) bool { return len(args) == n }
}

// maybe takes the words or nothing.
func maybe(words ...string) func([]string) bool {
	return func(args []string) bool { return len(args) == 0 || slices.Equal(args, words) }
}

func pairsOnly(args []string) bool {
	return len(args) > 0 && !slices.ContainsFunc(args, func(word string) bool { return !strings.Contains(word, "=") })
}

func watchArgs(args []string) bool {
	return len(args) == 1 || len(args) == 3 && args[1] == "after"
}

// failing reports whether want is that a call comes to nothing.
func failing(want []string) bool {
	return len(want) == 1 && slices.Contains(outcomeWords[6:], want[0])
}

func expectsPairs(_, want []string) bool {
	return len(want) == 0 || pairsOnly(want) || failing(want)
}

func expectsValues(args, want []string) bool { return len(args) == len(want) || failing(want) }

func expectsOne(_, want []string) bool { return len(want) == 1 }

func expectsOutcome(_, want []string) bool {
	if len(want) == 0 || !slices.Contains(outcomeWords, want[0]) {
		return false
	}
	return len(want) > 1 == (want[0] == "conflict")
}
