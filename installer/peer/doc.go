// Package peer finds out from one rollsite's host what another's can be reached by: whether it answers, what it shows
// of itself over TLS, whether it refuses clear text there, whether a gRPC message gets through to the party that it is
// for, how far its clock is away and how large a packet may be. It speaks to a rollsite as rollsites speak to each
// other, and to an installer on the other side that listens for it (see [Listener]), which then tests the way back.
package peer
