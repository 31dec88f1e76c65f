// Package config reads the settings of the gateway, aclgate.yaml.
//
// Every setting is one row of one table: its path, what it accepts, its default, what it means and
// the reader that checks it. The defaults, the keys that are known, the decoder and the reference
// in the docs all come from those rows, so none of them can be out of date. A setting that no row
// names is an error; so is a value that the row's reader does not accept; and all of them are
// reported at once, each with its line and column.
//
// What needs two settings to be judged (an admin listener on the public address, a certificate
// without its key) is checked after the rows. What needs the disk (a key file that is there and
// holds a key) is checked by CheckFiles alone, so that settings can be read, compared and fuzzed
// without files.
//
// Relative paths are relative to the file that names them. Values that may hold a credential, URLs
// and key files, are never shown: a user in a URL, or a key instead of its file, is a common slip.
package config
