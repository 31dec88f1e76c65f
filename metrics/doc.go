// Package metrics counts what happens to requests: counters and histograms over all of them, fed by
// one record.Record for each.
//
// The rules:
//
//   - One table names every metric with its type, its help and its labels. What the table does not
//     name cannot be exported, and what it names is what the documentation prints.
//   - No label has an open set of values. A client can therefore never make a series: what does not
//     belong is counted under the first value of its label ("other", "unknown", "none"). Token ids,
//     paths, item ids, addresses and error texts are never labels.
//   - Label values have numbers, and a table finds the counter of a combination by them: to count
//     takes no lock and allocates nothing. Of the larger families only the combinations that
//     happened are exported.
//   - The registry is passed in; the global one is never touched.
//
// Durations are seconds on the wire. Every histogram is classic and native at once; the scraper
// picks.
package metrics
