package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"
	"go.yaml.in/yaml/v3"
)

// file is what promtool calls a unit test file.
type file struct {
	RuleFiles []string       `yaml:"rule_files"`
	Every     model.Duration `yaml:"evaluation_interval"`
	Tests     []test         `yaml:"tests"`
}

type test struct {
	Name     string         `yaml:"name"`
	Interval model.Duration `yaml:"interval"`
	Input    []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	Queries []struct {
		Expr string         `yaml:"expr"`
		At   model.Duration `yaml:"eval_time"`
		Want []struct {
			Labels string  `yaml:"labels"`
			Value  float64 `yaml:"value"`
		} `yaml:"exp_samples"`
	} `yaml:"promql_expr_test"`
	Alerts []struct {
		Name string         `yaml:"alertname"`
		At   model.Duration `yaml:"eval_time"`
		Want []struct {
			Labels      map[string]string `yaml:"exp_labels"`
			Annotations map[string]string `yaml:"exp_annotations"`
		} `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
}

var promqlParser = parser.NewParser(parser.Options{})

func alerts(rulesFile, testsFile string) (errs []error) {
	content, err := os.ReadFile(rulesFile)
	if err != nil {
		return []error{err}
	}
	quiet := slog.New(slog.DiscardHandler)
	rules, errs := rulefmt.Parse(content, false, model.UTF8Validation, promqlParser, quiet)
	if len(errs) > 0 {
		return errs
	}
	content, err = os.ReadFile(testsFile)
	if err != nil {
		return []error{err}
	}
	var tests file
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	// A check that this does not know would be no check.
	decoder.KnownFields(true)
	if err := decoder.Decode(&tests); err != nil {
		return []error{fmt.Errorf("%s: %w", testsFile, err)}
	}
	if len(tests.Tests) == 0 {
		return []error{fmt.Errorf("%s has no tests", testsFile)}
	}
	every := time.Duration(tests.Every)
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e7, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: promqlParser,
		NoStepSubqueryIntervalFn: func(int64) int64 { return every.Milliseconds() },
	})
	for _, test := range tests.Tests {
		world := &world{engine: engine, series: series{}, rules: rules}
		for _, err := range test.run(world, every) {
			errs = append(errs, fmt.Errorf("%s: %w", test.Name, err))
		}
	}
	return errs
}

// run goes through time first, since a query may look back at what fired.
func (t test) run(world *world, every time.Duration) (errs []error) {
	for _, input := range t.Input {
		if err := world.series.load(input.Series, input.Values, time.Duration(t.Interval)); err != nil {
			return []error{err}
		}
	}
	last := model.Duration(0)
	for _, query := range t.Queries {
		last = max(last, query.At)
	}
	for _, alert := range t.Alerts {
		last = max(last, alert.At)
	}
	for at := time.Duration(0); at <= time.Duration(last); at += every {
		firing, err := world.evaluate(at)
		if err != nil {
			return append(errs, fmt.Errorf("at %s: %w", at, err))
		}
		for _, alert := range t.Alerts {
			var want []string
			for _, expected := range alert.Want {
				expected.Labels["alertname"] = alert.Name
				want = append(want, text(expected.Labels, expected.Annotations))
			}
			if time.Duration(alert.At) == at {
				errs = append(errs, differ(alert.Name, at, want, firing[alert.Name])...)
			}
		}
	}
	for _, query := range t.Queries {
		at := time.Duration(query.At)
		vector, err := world.query(context.Background(), query.Expr, time.Unix(0, 0).Add(at))
		if err != nil {
			return append(errs, fmt.Errorf("%s: %w", query.Expr, err))
		}
		var want, got []string
		for _, sample := range query.Want {
			metric, err := promqlParser.ParseMetric(sample.Labels)
			if err != nil {
				return append(errs, fmt.Errorf("%s: %w", sample.Labels, err))
			}
			want = append(want, fmt.Sprint(metric, " ", sample.Value))
		}
		for _, sample := range vector {
			got = append(got, fmt.Sprint(sample.Metric, " ", sample.F))
		}
		errs = append(errs, differ(query.Expr, at, want, got)...)
	}
	return errs
}

func differ(what string, at time.Duration, want, got []string) []error {
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(want, got) {
		return nil
	}
	show := func(lines []string) string { return "\n    " + strings.Join(lines, "\n    ") }
	return []error{fmt.Errorf("%s\n  at %s expected:%s\n  found:%s", what, at, show(want), show(got))}
}

func text(labels, annotations map[string]string) string {
	return fmt.Sprint(labels, " ", annotations)
}

// world is one test: its series, since when which alert is active, and what was last written of them.
type world struct {
	engine  *promql.Engine
	series  series
	rules   *rulefmt.RuleGroups
	active  map[string]time.Duration
	written map[string]labels.Labels
}

func (w *world) query(ctx context.Context, expression string, at time.Time) (promql.Vector, error) {
	query, err := w.engine.NewInstantQuery(ctx, w.series, nil, expression, at)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	result := query.Exec(ctx)
	if scalar, ok := result.Value.(promql.Scalar); ok {
		return promql.Vector{{T: scalar.T, F: scalar.V}}, result.Err
	}
	vector, _ := result.Value.(promql.Vector)
	return vector, result.Err
}

// evaluate does what Prometheus does once per interval: it writes ALERTS, and says what fires, by the alert's name.
func (w *world) evaluate(at time.Duration) (map[string][]string, error) {
	firing := map[string][]string{}
	still := map[string]time.Duration{}
	writes := map[string]labels.Labels{}
	now := time.Unix(0, 0).Add(at)
	for _, group := range w.rules.Groups {
		for _, rule := range group.Rules {
			vector, err := w.query(context.Background(), rule.Expr, now)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", rule.Alert, err)
			}
			for _, sample := range vector {
				builder := labels.NewBuilder(sample.Metric).Del(labels.MetricName).Set(labels.AlertName, rule.Alert)
				for name, words := range rule.Labels {
					expanded, err := w.expand(rule.Alert, words, sample, now)
					if err != nil {
						return nil, err
					}
					builder.Set(name, expanded)
				}
				annotations := map[string]string{}
				for name, words := range rule.Annotations {
					if annotations[name], err = w.expand(rule.Alert, words, sample, now); err != nil {
						return nil, err
					}
				}
				metric := builder.Labels()
				since, ok := w.active[metric.String()]
				if !ok {
					since = at
				}
				still[metric.String()] = since
				state := "pending"
				if at-since >= time.Duration(rule.For) {
					state = "firing"
					firing[rule.Alert] = append(firing[rule.Alert], text(metric.Map(), annotations))
				}
				written := builder.Set(labels.MetricName, "ALERTS").Set("alertstate", state).Labels()
				w.series.add(written, at, 1)
				delete(w.written, written.String())
				writes[written.String()] = written
			}
		}
	}
	// What is over is not looked back at.
	for _, over := range w.written {
		w.series.add(over, at, math.Float64frombits(value.StaleNaN))
	}
	w.active, w.written = still, writes
	return firing, nil
}

func (w *world) expand(name, text string, sample promql.Sample, now time.Time) (string, error) {
	const define = "{{$labels := .Labels}}{{$value := .Value}}"
	data := template.AlertTemplateData(sample.Metric.Map(), nil, "", sample)
	expander := template.NewTemplateExpander(
		context.Background(), define+text, name, data, model.TimeFromUnixNano(now.UnixNano()), w.query, &url.URL{},
		// Of a label that is not there nothing is left in an alert.
		[]string{"missingkey=error"},
	)
	expanded, err := expander.Expand()
	if err != nil {
		return "", fmt.Errorf("%s: %q: %w", name, text, err)
	}
	return expanded, nil
}
