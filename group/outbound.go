package group

import (
	"fmt"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
)

// Outbound is what is stored of a session that we send in (record
// group-out/<room>): its sender and what decides when it is replaced. Who has the
// key is a [Share] for each device, so that encrypting writes this record only,
// however many there are.
//
// An Outbound is a value: no method changes its receiver.
type Outbound struct {
	secret.Guard
	room     matrix.RoomID
	sender   Sender
	settings Settings
	shared   bool
	begun    record.Moment
	lastSent time.Time
	keysFrom otk.ID
	retired  time.Time
	why      Why
}

// Settings are those of a room that decide who may have a session's key and how
// long it is used.
type Settings struct {
	// Messages and Age are how many messages and how long a session is used, at
	// most; see [Settings.Clamped].
	Messages   int
	Age        time.Duration
	Visibility Visibility
	Strategy   Strategy
}

// Bounds and defaults of rotation (Matrix specification, m.room.encryption).
const (
	DefaultMessages = 100
	MaxMessages     = 10_000

	DefaultAge = 7 * 24 * time.Hour
	MinAge     = time.Hour
	MaxAge     = 365 * 24 * time.Hour
)

// Clamped returns the settings within their bounds, because anybody with the power
// to may write any number into a room's state: 1 to 10,000 messages, an hour to a
// year.
func (s Settings) Clamped() Settings {
	s.Messages = min(max(s.Messages, 1), MaxMessages)
	s.Age = min(max(s.Age, MinAge), MaxAge).Truncate(time.Millisecond)
	return s
}

// Visibility is a room's history visibility.
type Visibility uint8

// The visibilities, as m.room.history_visibility names them.
const (
	Invited       Visibility = 1
	Joined        Visibility = 2
	Shared        Visibility = 3
	WorldReadable Visibility = 4
)

// History reports whether whoever joins later may read what was before, and so be
// given its keys.
func (v Visibility) History() bool { return v >= Shared }

// Strategy is which devices of a room's members may have a key.
type Strategy uint8

const (
	// AllDevices of the members.
	AllDevices Strategy = 1
	// CrossSigned devices only.
	CrossSigned Strategy = 2
	// Verified devices only: none, until the own user is verified.
	Verified Strategy = 3
	// ByCaller: those that a predicate of the caller's admits.
	ByCaller Strategy = 4
)

// Why is why a session is used no more.
type Why uint8

// The reasons. Kept is that there is none.
const (
	Kept              Why = 0
	TooManyMessages   Why = 1
	TooOld            Why = 2
	SomebodyLeft      Why = 3
	DeviceNotAllowed  Why = 4
	VisibilityChanged Why = 5
	SettingsChanged   Why = 6
	Asked             Why = 7
	Recovered         Why = 8
)

// String returns the reason in lower case.
func (w Why) String() string {
	names := [...]string{
		"in use", "messages", "age", "somebody left", "a device is not allowed", "history visibility changed",
		"settings changed", "asked for", "the account was recovered",
	}
	if int(w) < len(names) {
		return names[w]
	}
	return fmt.Sprintf("reason %d", uint8(w))
}

// NewOutbound returns the record of a session that was just begun. keysFrom is the
// account's [account.Lineage.KeysFrom]: after a recovery it is another, and the
// session is not used any more, since the lost time may have used it.
func NewOutbound(room matrix.RoomID, s Sender, settings Settings, at record.Moment, keysFrom otk.ID) (Outbound, error) {
	if err := room.Check(); err != nil {
		return Outbound{}, err
	}
	if s.IsZero() {
		return Outbound{}, ErrNoKey
	}
	settings = settings.Clamped()
	if !settings.valid() {
		return Outbound{}, ErrSettings
	}
	at.Time = record.Time(at.Time)
	return Outbound{
		room: room, sender: s, settings: settings, shared: settings.Visibility.History(), begun: at, keysFrom: keysFrom,
	}, nil
}

func (s Settings) valid() bool {
	return s.Visibility >= Invited && s.Visibility <= WorldReadable && s.Strategy >= AllDevices && s.Strategy <= ByCaller
}

// Room returns the room that the session is for.
func (o Outbound) Room() matrix.RoomID { return o.room }

// Sender returns the session's state.
func (o Outbound) Sender() Sender { return o.sender }

// ID returns the session's id.
func (o Outbound) ID() SessionID { return o.sender.ID() }

// Settings returns those that the session was begun with.
func (o Outbound) Settings() Settings { return o.settings }

// SharedHistory reports whether whoever joins later may be given the key. It is of
// when the session was begun.
func (o Outbound) SharedHistory() bool { return o.shared }

// Begun returns when the session was begun.
func (o Outbound) Begun() record.Moment { return o.begun }

// LastSent returns when it was last encrypted in, or the zero time.
func (o Outbound) LastSent() time.Time { return o.lastSent }

// Retired returns when and why the session was given up; [Kept] while it was not.
func (o Outbound) Retired() (time.Time, Why) { return o.retired, o.why }

// Sent returns the record after a message was encrypted with the state next.
func (o Outbound) Sent(next Sender, now time.Time) Outbound {
	o.sender, o.lastSent = next, record.Time(now)
	return o
}

// Retire returns the record of a session that is used no more, for good: it is
// never sent in again, and only gives its key to devices that were given it before.
// The first reason stays.
func (o Outbound) Retire(why Why, now time.Time) Outbound {
	if o.why == Kept && why != Kept {
		o.retired, o.why = record.Time(laterThanNever(now)), why
	}
	return o
}

// RetiredAt returns the record of a session that was given up at another time: the
// clock was wrong.
func (o Outbound) RetiredAt(at time.Time) Outbound {
	if o.why != Kept {
		o.retired = record.Time(laterThanNever(at))
	}
	return o
}

// laterThanNever keeps a clock that says nothing from saying "never".
func laterThanNever(t time.Time) time.Time {
	if t.IsZero() {
		return time.UnixMilli(1)
	}
	return t
}

// Due returns why a session is to be replaced before another message is sent in
// it: it is retired, the account was recovered since, it is used up or too old, or
// its room's settings are others now. A clock that went back far is taken for one
// that went on. [Kept] means that it may be used.
func (o Outbound) Due(settings Settings, now time.Time, keysFrom otk.ID) Why {
	settings = settings.Clamped()
	was := o.settings
	age := record.Time(now).Sub(o.begun.Time).Abs()
	switch {
	case o.why != Kept:
		return o.why
	case o.keysFrom != keysFrom:
		return Recovered
	case int64(o.sender.Index()) >= int64(min(was.Messages, settings.Messages)):
		return TooManyMessages
	case age >= min(was.Age, settings.Age):
		return TooOld
	case was.Visibility.History() != settings.Visibility.History():
		return VisibilityChanged
	case was.Strategy != settings.Strategy || was.Messages != settings.Messages || was.Age != settings.Age:
		return SettingsChanged
	}
	return Kept
}
