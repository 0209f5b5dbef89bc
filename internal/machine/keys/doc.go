// Package keys is the life of an account's one-time and fallback keys as a
// server sees it: offered in an upload, then published or abandoned.
package keys
