// Prometheus' own parser and engine as judges of rules and queries.
//
//	judge queries < FILE      every line of FILE is PromQL
//	judge alerts RULES TESTS  the alerts of RULES do in time what TESTS says
//
// TESTS is a file for `promtool test rules`, of which this takes what ours have in them. promtool itself would do as well, but
// is four minutes of one core to build, most of it clients of clouds.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	var errs []error
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "queries":
		errs = queries()
	case len(args) == 3 && args[0] == "alerts":
		errs = alerts(args[1], args[2])
	default:
		errs = []error{fmt.Errorf("usage: judge queries < FILE | judge alerts RULES TESTS")}
	}
	for _, err := range errs {
		fmt.Println(err)
	}
	if len(errs) > 0 {
		os.Exit(1)
	}
}

func queries() (errs []error) {
	lines := bufio.NewScanner(os.Stdin)
	judged := 0
	for ; lines.Scan(); judged++ {
		if _, err := promqlParser.ParseExpr(lines.Text()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", lines.Text(), err))
		}
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, err)
	}
	if judged == 0 {
		errs = append(errs, fmt.Errorf("no queries on stdin"))
	}
	return errs
}
