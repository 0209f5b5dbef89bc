package story

import (
	"fmt"
	"slices"
	"strings"
)

// Oracle names what must hold for everything that left all handles together.
type Oracle string

// The oracles.
const (
	// KeyReuse: no message key is used for two released ciphertexts.
	KeyReuse Oracle = "key-reuse"
	// OneTimeKeys: a one-time key opens one session at most, and is used up
	// exactly when that session exists.
	OneTimeKeys Oracle = "one-time-keys"
	// Answers: of all answers to one message at most one is not marked
	// duplicate, all carry the plaintext that was sent, and after redelivery
	// there is one.
	Answers Oracle = "answers"
	// FalseFailure: no handle refuses what one lone process would not have
	// refused. A message that cannot be decrypted any more is one.
	FalseFailure Oracle = "false-failure"
	// Unreadable: the far side decrypts every released ciphertext.
	Unreadable Oracle = "unreadable"
	// Agreement: when all is quiet, each side decrypts the other's next message
	// at the first try.
	Agreement Oracle = "agreement"
	// Consistency: Machine.Check finds nothing.
	Consistency Oracle = "check"
	// Uploads: no key id and no one-time key is in two uploads.
	Uploads Oracle = "uploads"
	// Durable: what was answered and released is in the store from then on.
	Durable Oracle = "durable"
	// Progress: every call ends.
	Progress Oracle = "progress"
)

// Violation is an oracle that failed.
type Violation struct {
	Oracle Oracle
	Text   string
}

func (v Violation) String() string { return string(v.Oracle) + ": " + v.Text }

// Violations are those of one run, in the order found.
type Violations []Violation

// Has reports whether an oracle failed.
func (v Violations) Has(o Oracle) bool {
	return slices.ContainsFunc(v, func(one Violation) bool { return one.Oracle == o })
}

// Lost reports whether a message was lost for one of the sides.
func (v Violations) Lost() bool { return v.Has(FalseFailure) || v.Has(Unreadable) || v.Has(Answers) }

// Oracles returns the names of those that failed, each once.
func (v Violations) Oracles() []Oracle {
	var names []Oracle
	for _, one := range v {
		if !slices.Contains(names, one.Oracle) {
			names = append(names, one.Oracle)
		}
	}
	return names
}

func (v Violations) String() string {
	lines := make([]string, len(v))
	for i, one := range v {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func violation(o Oracle, format string, args ...any) Violation {
	return Violation{o, fmt.Sprintf(format, args...)}
}
