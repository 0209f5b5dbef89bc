// Package pickle reads and writes the pickles of libolm, so that the state of
// one implementation can be handed to another and looked at.
//
// A pickle is base64(AES-256-CBC(raw) || MAC[8]) under keys derived from a
// passphrase alone: good enough to move a state between two objects of one
// test process, and used for nothing else. [Open] and [Seal] do that part;
// [DecodeSession], [Session.Encode], [DecodeAccount] and [Account.Encode] do
// the raw part, whose layout the documents of libolm leave to its source: integers are
// big-endian u32, booleans one byte, lists a count and then the items.
package pickle
