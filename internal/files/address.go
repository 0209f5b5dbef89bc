package files

import (
	"os"
	"regexp"
)

// address is what databases are given by elsewhere: SCHEME://..., SQLite's file:... and
// :memory:, and libpq's list of words with an =. It may have a password in it. It is compiled
// where it is asked, since programs for browsers link this package and no regexp.
const address = `^[A-Za-z][A-Za-z0-9+.-]*://|^(?i:file:)|^:memory:$|(?i:^|\s)(?i:host|hostaddr|user|dbname|password|service)\s*=`

// IsAddress reports whether what was given for a path is the address of a database, so that
// a file of that name is hardly what was meant. One that is there already is a path.
func IsAddress(given string) bool {
	if !regexp.MustCompile(address).MatchString(given) {
		return false
	}
	_, err := os.Lstat(given)
	return err != nil
}
