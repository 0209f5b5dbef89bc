// Package intact decides whether the files of a Badger directory are whole,
// before Badger gets to see them.
//
// Badger trusts its files. A table that its manifest does not name is deleted,
// a manifest that cannot be read to its end is cut off there, a log is replayed
// up to its first bad byte and the rest thrown away, a bad block of a table
// makes a read answer with an older version, and a short table ends the
// process. So everything is read and checked first, and what does not add up
// is kv.ErrCorrupt with the name of the file. Nothing is changed.
//
// # What is checked
//
//   - The manifest: each record's checksum, no valid record after a bad one,
//     and each table that it names is there.
//   - Each table: the checksums of its index and of every block, which together
//     cover the file from its first byte to its last.
//   - Each log of a memtable: transactions are numbered without gaps from the
//     newest one in the tables on. The end of a log may be torn, as a crash
//     leaves it, if no transaction from beyond the tear says that the missing
//     one had been synced.
//   - Tables that the manifest does not name hold nothing newer than what it
//     does name and the logs hold: the manifest has lost its end otherwise.
//
// # What cannot be seen here
//
// Transactions that are missing at the end of the newest log leave no trace: a
// crash before their sync looks the same. It takes a witness outside these
// files to tell that they had been synced.
package intact
