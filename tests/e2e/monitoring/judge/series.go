package main

import (
	"context"
	"sort"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// series are samples in memory, by the text of their labels.
type series map[string]*one

type one struct {
	labels  labels.Labels
	samples []chunks.Sample
}

// load takes a line of input_series: one value per interval.
func (s series) load(description, values string, interval time.Duration) error {
	metric, sequence, err := promqlParser.ParseSeriesDesc(description + " " + values)
	if err != nil {
		return err
	}
	for at, value := range sequence {
		if !value.Omitted {
			s.add(metric, time.Duration(at)*interval, value.Value)
		}
	}
	return nil
}

func (s series) add(metric labels.Labels, at time.Duration, value float64) {
	key := metric.String()
	if s[key] == nil {
		s[key] = &one{labels: metric}
	}
	s[key].samples = append(s[key].samples, sample{at.Milliseconds(), value})
}

// Querier makes this a storage.Queryable.
func (s series) Querier(mint, maxt int64) (storage.Querier, error) {
	return querier{s, mint, maxt}, nil
}

type querier struct {
	series     series
	mint, maxt int64
}

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	for _, candidate := range q.series {
		if !matches(candidate.labels, matchers) {
			continue
		}
		var inside []chunks.Sample
		for _, sample := range candidate.samples {
			if q.mint <= sample.T() && sample.T() <= q.maxt {
				inside = append(inside, sample)
			}
		}
		if len(inside) > 0 {
			found = append(found, storage.NewListSeries(candidate.labels, inside))
		}
	}
	sort.Slice(found, func(a, b int) bool { return labels.Compare(found[a].Labels(), found[b].Labels()) < 0 })
	return &set{found, -1}
}

func matches(metric labels.Labels, matchers []*labels.Matcher) bool {
	for _, matcher := range matchers {
		if !matcher.Matches(metric.Get(matcher.Name)) {
			return false
		}
	}
	return true
}

func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) Close() error { return nil }

type set struct {
	series []storage.Series
	at     int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                    { return s.t }
func (sample) ST() int64                     { return 0 }
func (s sample) F() float64                  { return s.v }
func (sample) H() *histogram.Histogram       { return nil }
func (sample) FH() *histogram.FloatHistogram { return nil }
func (sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample         { return s }
