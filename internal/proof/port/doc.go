// Package port runs what ports to other languages are tested with, vectors and
// docs/port, through Pawl, so that it stays true.
package port
