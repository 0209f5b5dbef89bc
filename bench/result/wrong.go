package result

// Wrong is what a run shows of a design that is.
type Wrong struct {
	Wedged int `json:"wedged"` // sessions
	Lost   int `json:"lost"`   // messages that never decrypted
	Reused int `json:"reused"` // message keys that two ciphertexts left under

	// Of a whole client:
	RoomKeys    int `json:"room_keys,omitempty"`   // that were refused, or that a device could not read
	Ahead       int `json:"ahead,omitempty"`       // room keys that the since token covers, and nobody has or was told of
	Indices     int `json:"indices,omitempty"`     // of a Megolm session, that two events left under
	Republished int `json:"republished,omitempty"` // one-time keys, or their ids, that were uploaded twice
}

// Any reports whether the design broke a promise.
func (w Wrong) Any() bool { return w != Wrong{} }

// Fault is one kind of what went wrong.
type Fault struct {
	Count int
	Short string // "lost": after the count, where there is little room
	Name  string // "messages lost"
}

// Faults are all kinds, also those of which there were none, in the order in which
// they are told.
func (w Wrong) Faults() []Fault {
	return []Fault{
		{w.Wedged, "wedged", "sessions wedged"},
		{w.Lost, "lost", "messages lost"},
		{w.Reused, "keys reused", "keys reused"},
		{w.RoomKeys, "room keys lost", "room keys lost"},
		{w.Ahead, "behind the token", "room keys behind the token"},
		{w.Indices, "indices reused", "indices reused"},
		{w.Republished, "one-time keys twice", "one-time keys twice"},
	}
}

// Plus adds up what went wrong in two rows.
func (w Wrong) Plus(other Wrong) Wrong {
	return Wrong{
		Wedged: w.Wedged + other.Wedged, Lost: w.Lost + other.Lost, Reused: w.Reused + other.Reused,
		RoomKeys: w.RoomKeys + other.RoomKeys, Ahead: w.Ahead + other.Ahead,
		Indices: w.Indices + other.Indices, Republished: w.Republished + other.Republished,
	}
}
