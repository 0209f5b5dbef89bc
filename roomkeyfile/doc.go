// Package roomkeyfile reads and writes room key files: room keys under a passphrase,
// as all Matrix clients export and import them (Matrix specification, "Key exports").
//
//	-----BEGIN MEGOLM SESSION DATA-----
//	base64 of 01 | salt (16) | IV (16) | rounds (4, big-endian) | JSON in AES-256-CTR | HMAC-SHA-256 (32)
//	-----END MEGOLM SESSION DATA-----
//
// Both keys are 64 bytes of PBKDF2-HMAC-SHA-512 over the passphrase, the HMAC is over
// all that stands before it, and the JSON is an array of room keys.
//
// # Writing
//
//	w, err := roomkeyfile.NewWriter(file, rand.Reader, passphrase)
//	for key, err := range machine.ExportRoomKeys(ctx, pawl.RoomKeyExport{}) {
//		err = w.Add(key)
//	}
//	err = w.Close()
//
// # Reading
//
//	r, err := roomkeyfile.NewReader(file) // it is a room key file, and whole
//	err = r.Unlock(ctx, passphrase)       // its HMAC holds, and so does the JSON
//	done, err := machine.ImportRoomKeysFrom(ctx, r.Keys(), pawl.RoomKeyImport{})
//
// Nothing of a file is parsed before its HMAC was verified, so it is read more than
// once: what cannot be read again, a pipe, say, is to be copied first. However many
// keys there are, both hold a few hundred kilobytes.
//
// The HMAC proves that whoever wrote the file knew the passphrase, and nothing of the
// keys: their provenance is [group.File].
//
// Nothing here reads a clock, opens a file, or has a random source of its own. A
// Reader and a Writer are for one goroutine at a time.
package roomkeyfile
