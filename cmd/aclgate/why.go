package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/metrics/record"
)

func (e *env) why() *cobra.Command {
	var output outputFlag
	c := &cobra.Command{
		Use:   "why ID",
		Short: "Explain what became of a request, by the x-aclgate-decision of its answer",
		Long: `Explain what became of one request, by the id that its answer carried in the
header x-aclgate-decision: what was asked, who asked, what was decided, which
line of the policy file decided it, and what to do.

The running gateway is asked first (it remembers the latest requests; this needs
admin.token_file), then the files of the audit log are searched, the youngest
first. The explanation is by the policy as it is now; if that says otherwise than
was decided then, both are shown.

With --output json it prints the record alone.

  aclgate why 3f0c9a5b77e1d2406a8b11c4`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return e.runWhy(cmd.Context(), args[0], output.json()) },
	}
	output.addJSON(c)
	return c
}

func (e *env) runWhy(ctx context.Context, text string, asJSON bool) error {
	id, err := record.ParseID(strings.ToLower(strings.TrimSpace(text)))
	if err != nil {
		return err
	}
	s, err := e.loadSettings()
	if err != nil {
		return err
	}
	line, raw, err := e.findDecision(ctx, s, id)
	if err != nil {
		return failed(err)
	}
	if asJSON {
		fmt.Fprintf(e.stdout, "%s\n", raw)
		return nil
	}
	return e.explainLine(ctx, s, line)
}

// findDecision looks where decisions are remembered. That the gateway cannot be asked is only worth
// a word if nothing else knows the decision.
func (e *env) findDecision(ctx context.Context, s *config.Settings, id record.ID) (*record.Line, []byte, error) {
	line, raw, missing := e.askWhy(ctx, s, id)
	if line != nil {
		return line, raw, nil
	}
	if !s.Audit.Path.IsSet() {
		return nil, nil, fmt.Errorf("%w; and there is no audit log to search (audit.path)", missing)
	}
	defer e.during("searching the audit log").end()
	line, raw, err := searchAudit(s.Audit, id.String())
	if line == nil && err == nil {
		err = fmt.Errorf("%w; and the audit log %s does not have it, which keeps every denial, but of the rest only the share audit.allow_sample",
			missing, s.Audit.Path.Text)
	}
	return line, raw, err
}

// askWhy asks the running gateway. The error says why it is no help.
func (e *env) askWhy(ctx context.Context, s *config.Settings, id record.ID) (*record.Line, []byte, error) {
	if !s.Admin.Token.IsSet() {
		return nil, nil, errors.New("the gateway was not asked, which needs admin.token_file")
	}
	status, body, err := e.callAdmin(ctx, s, http.MethodGet, "/why/"+id.String())
	switch {
	case err != nil:
		return nil, nil, err
	case status == http.StatusNotFound:
		return nil, nil, errors.New("the gateway does not remember this decision: it knows only the latest")
	case status != http.StatusOK:
		return nil, nil, fmt.Errorf("the admin listener answered %d", status)
	}
	var answer struct{ Result []json.RawMessage }
	if json.Unmarshal([]byte(body), &answer) != nil || len(answer.Result) != 1 {
		return nil, nil, errors.New("the admin listener answered something else")
	}
	line, err := record.ParseLine(answer.Result[0])
	if err != nil {
		return nil, nil, errors.New("the gateway is of another version: its records cannot be read here")
	}
	return &line, answer.Result[0], nil
}

// searchAudit searches the files of the audit log, the youngest first.
func searchAudit(s config.Audit, id string) (found *record.Line, raw []byte, err error) {
	files := auditFiles(s)
	for i := len(files) - 1; i >= 0 && found == nil && err == nil; i-- {
		err = eachLineOf(files[i], math.MaxInt64, func(l *record.Line, text []byte) bool {
			if l.Decision == id {
				found, raw = l, append([]byte(nil), text...)
			}
			return found == nil
		})
	}
	return found, raw, err
}
