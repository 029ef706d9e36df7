package database

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- the server's own form of a password
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
)

// Ways of storing a password, by the names of the servers' plugins.
const (
	nativePasswordPlugin = "mysql_native_password" // #nosec G101 -- the name of a method, no password
	sha2PasswordPlugin   = "caching_sha2_password" // #nosec G101 -- the name of a method, no password
)

// storedPasswordIs reports whether what a server stores for an account was made from password.
func storedPasswordIs(plugin, stored string, password Password) bool {
	var want string
	switch plugin {
	case nativePasswordPlugin:
		want = nativeHash(password)
	case sha2PasswordPlugin:
		want = sha2Hash(stored, password)
	default:
		return false
	}
	return subtle.ConstantTimeCompare([]byte(want), []byte(stored)) == 1
}

// nativeHash is the hash that mysql_native_password stores: SHA-1 twice, in upper-case hexadecimal after an asterisk.
func nativeHash(password Password) string {
	if password == "" {
		return ""
	}
	once := sha1.Sum([]byte(password)) // #nosec G401 -- the server's own form
	twice := sha1.Sum(once[:])         // #nosec G401 -- the server's own form
	return "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
}

// The fields of what caching_sha2_password stores: $A$005$, then the salt and the digest without a separator. The
// number is hexadecimal and counts thousands of rounds.
const (
	sha2Prefix   = "$A$"
	sha2SaltSize = 20
	sha2Unit     = 1000
)

// sha2Hash makes what caching_sha2_password would store for password with the salt and rounds of an existing entry; the
// result is not to be compared when stored is not such an entry.
func sha2Hash(stored string, password Password) string {
	if password == "" {
		return ""
	}
	rest, ok := strings.CutPrefix(stored, sha2Prefix)
	count, rest, found := strings.Cut(rest, "$")
	thousands, err := strconv.ParseUint(count, 16, 12)
	if !ok || !found || err != nil || len(rest) < sha2SaltSize {
		return "no entry of " + sha2PasswordPlugin
	}
	salt := []byte(rest[:sha2SaltSize])
	return sha2Prefix + count + "$" + string(salt) + sha256Crypt([]byte(password), salt, int(thousands)*sha2Unit)
}

// newSHA2Hash makes an entry as caching_sha2_password does.
func newSHA2Hash(password Password) string {
	salt := rand.Text()[:sha2SaltSize] // letters and digits, 100 bits
	return sha2Hash(sha2Prefix+"005$"+salt, password)
}

// sha256Crypt is the SHA-256 variant of crypt(3), as specified in Ulrich Drepper's "Unix crypt using SHA-256 and
// SHA-512"; the letters are from that paper. It gives the encoded digest alone. Unlike crypt, MySQL's salt has 20
// bytes.
func sha256Crypt(key, salt []byte, rounds int) string {
	b := sha256.Sum256(bytes.Join([][]byte{key, salt, key}, nil))
	h := sha256.New()
	h.Write(key)
	h.Write(salt)
	h.Write(repeatTo(b[:], len(key)))
	for n := len(key); n > 0; n >>= 1 {
		if n&1 == 1 {
			h.Write(b[:])
		} else {
			h.Write(key)
		}
	}
	c := h.Sum(nil)
	dp := sha256.Sum256(bytes.Repeat(key, len(key)))
	p := repeatTo(dp[:], len(key))
	ds := sha256.Sum256(bytes.Repeat(salt, 16+int(c[0])))
	s := repeatTo(ds[:], len(salt))
	for i := range rounds {
		h.Reset()
		first, last := c, p
		if i%2 == 1 {
			first, last = p, c
		}
		h.Write(first)
		if i%3 != 0 {
			h.Write(s)
		}
		if i%7 != 0 {
			h.Write(p)
		}
		h.Write(last)
		c = h.Sum(c[:0:0])
	}
	return cryptEncode(c)
}

// repeatTo repeats block and cuts it to n bytes.
func repeatTo(block []byte, n int) []byte {
	return bytes.Repeat(block, n/len(block)+1)[:n]
}

// cryptEncode writes a digest in crypt's alphabet and byte order: groups of three bytes that are ten apart, each
// rotated by one more place, and the last two bytes by themselves.
func cryptEncode(digest []byte) string {
	const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var out strings.Builder
	put := func(a, b, c byte, n int) {
		for bits := uint(a)<<16 | uint(b)<<8 | uint(c); n > 0; n-- {
			out.WriteByte(alphabet[bits&0x3f])
			bits >>= 6
		}
	}
	group := [3]int{0, 10, 20}
	for range 10 {
		put(digest[group[0]], digest[group[1]], digest[group[2]], 4)
		group = [3]int{group[2] + 1, group[0] + 1, group[1] + 1}
	}
	put(0, digest[31], digest[30], 3)
	return out.String()
}
