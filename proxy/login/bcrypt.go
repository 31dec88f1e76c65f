package login

import (
	"crypto/subtle"
	"encoding/base64"

	"golang.org/x/crypto/bcrypt"
	//lint:ignore SA1019 bcrypt is made of Blowfish
	"golang.org/x/crypto/blowfish"
)

// The parts of a bcrypt hash: $2b$12$, 22 characters of salt, 31 of the sum.
const (
	bcryptSalt = 7
	bcryptSum  = bcryptSalt + 22
	bcryptLen  = bcryptSum + 31
)

var bcryptBase64 = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// matchesBcrypt is bcrypt.CompareHashAndPassword, which may rest after each of its rounds: the library
// cannot be held back once it has begun. nil: it does not rest, and the library does the work.
func matchesBcrypt(hash string, password []byte, rest func()) bool {
	if rest == nil {
		return bcrypt.CompareHashAndPassword([]byte(hash), password) == nil
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != bcryptLen {
		return false
	}
	salt, err := bcryptBase64.DecodeString(hash[bcryptSalt:bcryptSum])
	if err != nil {
		return false
	}
	key := append(password[:len(password):len(password)], 0) // as those in C do, whose strings end so
	c, err := blowfish.NewSaltedCipher(key, salt)
	if err != nil {
		return false
	}
	for range uint64(1) << cost {
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(salt, c)
		rest()
	}
	sum := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(sum); i += blowfish.BlockSize {
		for range 64 {
			c.Encrypt(sum[i:i+blowfish.BlockSize], sum[i:i+blowfish.BlockSize])
		}
	}
	text := bcryptBase64.EncodeToString(sum[:len(sum)-1]) // the last byte is not in the hash
	return subtle.ConstantTimeCompare([]byte(text), []byte(hash[bcryptSum:])) == 1
}
