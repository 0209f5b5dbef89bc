// Package todevice encrypts and decrypts an account's to-device messages: one
// transaction a message, or one for many that came together.
package todevice
