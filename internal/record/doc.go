// Package record is the frame that every record of Pawl's protocol packages
// shares: one byte of format version, then one msgpack array with a fixed
// number of fields, then nothing.
//
//	version (1) | array header | field | field ...
//
// Fields are unsigned integers, booleans, byte strings, text, times, and
// arrays of these with their count in front. [Decode] refuses what [Encode]
// would never write, and allocates nothing on the word of a length: a byte
// string is a part of the input, a count is compared with a limit and with
// what is left. Both are safe for concurrent use.
package record

import "errors"

var (
	// ErrFormat: the record is damaged: a wrong type, length, count or value,
	// or bytes after the end.
	ErrFormat = errors.New("record is damaged")
	// ErrVersion: the record was written by a newer program. Nothing is wrong
	// with it; update the program.
	ErrVersion = errors.New("record has an unknown format version: update the program")
)
