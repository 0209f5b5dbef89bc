// Package devices is what an account knows of others' devices: whose changes are
// followed, the requests for /keys/query that follow from them, what answers
// change, and who is trusted.
//
// Whoever hears of users calls [Track], [MarkOutdated], [Left] and [AllOutdated] in
// the commit that the news belongs to. What is outdated is asked for until an answer
// was applied that began after the last change: all of it is in the records of the
// users, so that any process may go on where another was killed.
package devices
