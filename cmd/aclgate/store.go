package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/policy/store"
)

func (e *env) store() *cobra.Command {
	c := &cobra.Command{Use: "store", Short: "Look after the database of tokens and accounts", Args: cobra.NoArgs,
		Long: `Look after the database of tokens and accounts (store.kind: sqlite or postgres).

status, verify and accept ask the running gateway; with --offline status and
verify read the database alone. The others work on the database itself, beside
gateways that run or not: they obey with their next poll what was changed.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(e.storeMigrate(), e.storeRoles(), e.storeImport(), e.storeExport(), e.storeStatus(), e.storeVerify(), e.storeBackup(), e.storePrune(), e.storeAccept())
	return c
}

// withDatabase runs what works on the database itself.
func (e *env) withDatabase(ctx context.Context, do func(*config.Settings, app.Database) error) error {
	s, err := e.loadSettings()
	if err != nil {
		return err
	}
	defer e.during("working on the database").end()
	db, err := app.OpenDatabase(ctx, s)
	if bad := (*app.BadStore)(nil); errors.As(err, &bad) {
		return badSettings(err)
	}
	if err != nil {
		return failed(err)
	}
	err = do(s, db)
	closed := db.Close()
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		return err // it knows its code
	}
	return failed(errors.Join(err, closed))
}

func (e *env) storeMigrate() *cobra.Command {
	var owner string
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Make the database, or bring it to the schema of this aclgate",
		Long: `Make the database that store.path names, if it is not there, or bring its schema
to the one of this aclgate: in one transaction, after a copy beside it. In
PostgreSQL the database has to be there; its schema is made by a login in the
role aclgate_owner, or by a superuser, whose login makes the roles itself:
else "aclgate store roles" prints what makes them. Gateways know their own schema and the one before: upgrade
all of them first, then migrate.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := e.loadSettings()
			if err != nil {
				return err
			}
			defer e.during("working on the database").end()
			m, err := app.Migrate(cmd.Context(), s, owner)
			name := app.StoreName(s)
			switch bad := (*app.BadStore)(nil); {
			case errors.As(err, &bad):
				return badSettings(err)
			case err != nil:
				return failed(err)
			case m.From == m.To:
				fmt.Fprintf(e.stdout, "%s has version %d of the schema already\n", name, m.To)
			case m.From == 0:
				fmt.Fprintf(e.stdout, "%s is made, and empty: `aclgate store import policy.yaml` fills it\n", name)
			case m.Backup != "":
				fmt.Fprintf(e.stdout, "%s has version %d of the schema now, it had %d; as it was it is in %s\n", name, m.To, m.From, m.Backup)
			default:
				fmt.Fprintf(e.stdout, "%s has version %d of the schema now, it had %d\n", name, m.To, m.From)
			}
			return nil
		},
	}
	c.Flags().StringVar(&owner, "url-file", "", "PostgreSQL: file with the DSN of a login in aclgate_owner (default: store.admin_url_file)")
	return c
}

func (e *env) storeRoles() *cobra.Command {
	return &cobra.Command{
		Use:   "roles",
		Short: "Print the SQL that makes the roles and the schema in PostgreSQL",
		Long: `Print the SQL that makes the roles aclgate_owner, aclgate_admin and
aclgate_replica, and the schema, for a superuser to run once. What is there
already stays. "aclgate store migrate" does the same itself with the login of a
superuser.

  aclgate store roles | psql -d aclgate`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(e.stdout, app.StoreRoles())
			return failed(err)
		},
	}
}

type importFlags struct{ replace, dryRun bool }

func (e *env) storeImport() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Write what a policy file says into the database",
		Long: `Write what a policy file, .yaml or .json, says into the database: what differs, in
one transaction. The last uses beside the file come with it. What the database
has and the file does not have stays, unless --replace says otherwise; whose
items are ("owners:") stays even then. A file with a fault changes nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return e.importPolicy(cmd.Context(), args[0], f) },
	}
	c.Flags().BoolVar(&f.replace, "replace", false, "remove what the file does not have")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would change, and change nothing")
	return c
}

func (e *env) importPolicy(ctx context.Context, file string, f importFlags) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return badSettings(fmt.Errorf("cannot read the policy: %w", err))
	}
	return e.withDatabase(ctx, func(s *config.Settings, db app.Database) error {
		cat, err := routes.Load(s.Policy.RoutesFile.Path)
		if err != nil {
			return badSettings(err)
		}
		t, faults := store.ReadTransfer(file, text, cat, s.Policy.MaxDepth)
		if err := faults.Err(); err != nil {
			return badSettings(err)
		}
		e.warn(faults)
		d, err := t.Compare(ctx, db, f.replace)
		if err != nil {
			return err
		}
		fmt.Fprintln(e.stdout, d)
		if err := e.sayImportedOwners(ctx, s, db, t, cat); err != nil {
			return err
		}
		if f.dryRun {
			fmt.Fprintln(e.stdout, "nothing was written: --dry-run")
			return nil
		}
		if _, err := store.Write(ctx, app.LiveOptions(s, db), "operator", func(tx *store.Tx) error {
			progress := e.progress()
			if _, err := t.Import(tx, f.replace, progress); err != nil {
				return err
			}
			return t.ImportOwners(tx, cat, progress)
		}); err != nil {
			return err
		}
		uses, faults := t.Uses(time.Now().Unix())
		e.warn(faults)
		return db.SaveUses(ctx, uses)
	})
}

// sayImportedOwners says what an import changes of whose items are, where the file says so.
func (e *env) sayImportedOwners(ctx context.Context, s *config.Settings, db app.Database, t *store.Transfer, cat *policy.Catalogue) error {
	if !t.HasOwners() {
		return nil
	}
	d, err := t.CompareOwners(ctx, db, cat)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, d)
	if s.Scope.Owners != config.OwnersStore {
		fmt.Fprintln(e.stderr, noOwnersAsked)
	}
	return nil
}

// progress returns what shows how far a long import is.
func (e *env) progress() func() {
	const each = 100_000
	n := 0
	return func() {
		if n++; n%each == 0 {
			fmt.Fprintf(e.stderr, "%d records written\n", n)
		}
	}
}

func (e *env) storeExport() *cobra.Command {
	var secrets bool
	c := &cobra.Command{
		Use:   "export",
		Short: "Print the records of the database as a policy file",
		Long: `Print the records of the database as YAML that reads back as the same policy, by
ascending id. It holds digests of keys, and no key. With --secrets it also holds the
hashes of passwords: keep it as you keep the database. Without, users do not log in
where it is read before a password is written.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withDatabase(cmd.Context(), func(s *config.Settings, db app.Database) error {
				return store.Export(cmd.Context(), db, e.stdout, s.Policy.MaxDepth, secrets)
			})
		},
	}
	c.Flags().BoolVar(&secrets, "secrets", false, "with the hashes of passwords")
	return c
}

func (e *env) storeBackup() *cobra.Command {
	var owner string
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the database as it is at this moment",
		Long: `Write a copy of the database to a file that is not there yet. A gateway may run
meanwhile. To restore it, read "aclgate changes" first: the database has the only
history of what was made and revoked since. Stop the gateway, move the database
aside with the files beside it that end in -wal and -shm, and put the copy in its
place. Tokens that were revoked since are valid again then: revoke them before you
start.

For PostgreSQL, print the line of pg_dump that does it, with the login of
--url-file. The way back is in docs/store.md.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := e.loadSettings()
			if err != nil {
				return err
			}
			switch {
			case s.Store.Kind == config.StorePostgres && owner == "":
				return errors.New("with PostgreSQL, backup needs --url-file FILE, with the DSN of a login in aclgate_owner, as store migrate does: the others may not read everything")
			case s.Store.Kind == config.StorePostgres:
				fmt.Fprintf(e.stdout, "(umask 077; pg_dump --format custom --schema aclgate --file %s --dbname \"$(cat %s)\")\n", quoted(args[0]), quoted(owner))
				fmt.Fprintf(e.stderr, "This line writes the backup: append | sh to run it. While it runs, others on this machine can see the password of that DSN: leave it out there, and put it into ~/.pgpass. To restore a backup, see first what was changed since: aclgate changes\n"+
					"Then, with all gateways stopped, keep what is there, which alone has this history, by such a line with another file, and restore as a superuser:\n"+
					"pg_restore --clean --if-exists --single-transaction -d DATABASE %s\n"+
					"psql -d DATABASE -c %s\n"+
					"The second line leaves out ids: those that were given since the backup may still be named by items, logs and other systems.\n"+revokeAgain, quoted(args[0]), quoted(skipIDs))
				return nil
			}
			return e.withDatabase(cmd.Context(), func(s *config.Settings, db app.Database) error {
				if err := db.(interface {
					Backup(context.Context, string) error
				}).Backup(cmd.Context(), args[0]); err != nil {
					return err
				}
				return e.sayBackup(s, args[0])
			})
		},
	}
	c.Flags().StringVar(&owner, "url-file", "", "PostgreSQL: file with the DSN of a login in aclgate_owner")
	return c
}

// skipIDs does in a PostgreSQL database what a backup of SQLite holds already.
var skipIDs = fmt.Sprintf("INSERT INTO aclgate.ids AS i SELECT k, 1 + %[1]d FROM generate_series(1, 7) k WHERE k > 1 OR EXISTS (SELECT FROM aclgate.ids WHERE kind = 1)"+
	" ON CONFLICT (kind) DO UPDATE SET next = least(i.next, 9223372036854775806 - %[1]d) + %[1]d", store.BackupGap)

const revokeAgain = "Before the start, do again what aclgate changes names, with --offline: revoke tokens (aclgate token revoke ID --offline), disable users and accounts, take back grants and roles, give items to whom they belong.\n"

// sayBackup says what was written, and the way back.
func (e *env) sayBackup(s *config.Settings, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	db, aside := quoted(s.Store.Path.Path), quoted(filepath.Join(filepath.Dir(s.Store.Path.Path), "before-restore"))
	fmt.Fprintf(e.stdout, "wrote %[1]s, %[2]d KiB, for its owner alone. To restore it, see first what was changed since: aclgate changes\n"+
		"Then, with the gateway stopped, move the database aside, which alone has this history, and put the copy in its place:\n"+
		"mkdir %[3]s && mv %[4]s %[3]s && for f in %[4]s-wal %[4]s-shm; do [ ! -e \"$f\" ] || mv \"$f\" %[3]s; done && cp %[5]s %[4]s\n"+revokeAgain,
		file, (info.Size()+1023)/1024, aside, db, quoted(file))
	return nil
}

// quoted returns a word as a shell reads it.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

func (e *env) storePrune() *cobra.Command {
	var before durationFlag
	c := &cobra.Command{
		Use:   "prune",
		Short: "Forget old changes now, and not within the hour",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withDatabase(cmd.Context(), func(s *config.Settings, db app.Database) error {
				keep := time.Duration(before)
				if keep == 0 {
					keep = s.Store.History
				}
				n, err := db.Prune(cmd.Context(), time.Now().Add(-keep))
				if err == nil {
					fmt.Fprintf(e.stdout, "%s forgotten\n", counted(int(n), "change", "changes"))
				}
				return err
			})
		},
	}
	c.Flags().Var(&before, "keep", "how long changes are kept, such as 30d (default: store.history)")
	return c
}

// printAdmin prints the first result of a resource of the admin listener.
func (e *env) printAdmin(ctx context.Context, path string) error {
	var result json.RawMessage
	if err := e.storeAnswer(ctx, http.MethodGet, path, nil, &result); err != nil {
		return err
	}
	return e.printJSON(result)
}

func (e *env) printJSON(v any) error {
	w := json.NewEncoder(e.stdout)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	return w.Encode(v)
}

// storeAnswer calls a resource of the store on the admin listener and reads the results, each into
// the next of into.
func (e *env) storeAnswer(ctx context.Context, method, path string, body []byte, into ...any) error {
	results, err := e.storeResults(ctx, method, path, body)
	if err != nil {
		return err
	}
	for i, to := range into {
		if i < len(results) {
			if err := json.Unmarshal(results[i], to); err != nil {
				return failed(err)
			}
		}
	}
	return nil
}

// storeResults calls a resource of the store on the admin listener. It waits as long as it takes: a
// revocation may wait for other gateways.
func (e *env) storeResults(ctx context.Context, method, path string, body []byte) ([]json.RawMessage, error) {
	s, err := e.loadSettings()
	switch {
	case err != nil:
		return nil, err
	case s.Store.Kind == config.StoreFile:
		return nil, failed(errors.New("store.kind is file: edit the policy file itself; the gateway reads it within two seconds"))
	case !s.Admin.Token.IsSet() && method == http.MethodGet:
		return nil, failed(errors.New("this needs admin.token_file in the settings: the administration of the gateway is behind it; or say --offline"))
	case !s.Admin.Token.IsSet():
		return nil, failed(errors.New("this needs admin.token_file in the settings: the administration of the gateway is behind it"))
	}
	status, text, err := e.askAdmin(ctx, s, method, path, body)
	switch {
	case err != nil:
		return nil, failed(err)
	case status != http.StatusOK:
		return nil, failed(errors.New(reasons(text)))
	}
	var answer struct{ Result []json.RawMessage }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, failed(fmt.Errorf("the admin listener answered what is no answer: %w", err))
	}
	return answer.Result, nil
}
