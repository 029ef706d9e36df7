// Package keys owns the certificates and private keys with which rollsites recognise each other: it makes them (New, or
// Own and PeerRequest for organisations that must not have each other's), checks those of any source before they are
// installed (Check), and knows upstream's names for the files.
//
// It does not own which sides use TLS and by which names their peers call them, which package fate reads from the
// cluster file, nor where the files are installed. It never touches a file, a clock or a random source that it was not
// handed.
package keys
