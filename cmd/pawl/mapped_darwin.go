package main

// getLock is F_OFD_GETLK, which the system has and its headers do not name.
const getLock = 92
