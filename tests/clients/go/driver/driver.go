// Package driver answers the lines that the tests send: one line of JSON for each.
package driver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type answer struct {
	Ok    bool   `json:"ok,omitempty"`
	Error string `json:"error,omitempty"`
}

// Run asks for the identity as often as it is told to, until the end of stdin. The client that asks is made at the
// first time: some read files when they are made.
func Run(newClient func() (identity func() error, err error)) {
	var identity func() error
	ask := func() (err error) {
		if identity == nil {
			identity, err = newClient()
		}
		if err == nil {
			err = identity()
		}
		return err
	}
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := answer{Ok: true}
		if lines.Text() != "identity" {
			line = answer{Error: fmt.Sprintf("the line %q; expected: identity", lines.Text())}
		} else if err := ask(); err != nil {
			line = answer{Error: err.Error()}
		}
		if err := answers.Encode(line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
	}
}
