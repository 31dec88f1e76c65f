package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"

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

// matchesBcrypt is bcrypt.CompareHashAndPassword, which calls rest after each of its rounds: the library
// cannot be interrupted once it has begun.
func matchesBcrypt(hash string, password []byte, rest func()) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != bcryptLen {
		return false
	}
	salt, err := bcryptBase64.DecodeString(hash[bcryptSalt:bcryptSum])
	if err != nil {
		return false
	}
	sum, err := bcryptSumOf(password, salt, cost, rest)
	return err == nil && subtle.ConstantTimeCompare([]byte(sum), []byte(hash[bcryptSum:])) == 1
}

// hashBcrypt is bcrypt.GenerateFromPassword, which calls rest after each of its rounds. A password is not
// longer than the 72 bytes that bcrypt looks at.
func hashBcrypt(password []byte, cost int, rest func()) (string, error) {
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return "", bcrypt.InvalidCostError(cost)
	}
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // it never fails
	sum, err := bcryptSumOf(password, salt[:], cost, rest)
	return fmt.Sprintf("$2b$%02d$%s%s", cost, bcryptBase64.EncodeToString(salt[:]), sum), err
}

// bcryptSumOf returns the last 31 characters of a hash.
func bcryptSumOf(password, salt []byte, cost int, rest func()) (string, error) {
	key := append(password[:len(password):len(password)], 0) // as those in C do, whose strings end so
	c, err := blowfish.NewSaltedCipher(key, salt)
	if err != nil {
		return "", err
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
	return bcryptBase64.EncodeToString(sum[:len(sum)-1]), nil // the last byte is not in the hash
}
