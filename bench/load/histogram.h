// Latencies in nanoseconds, log-linear: 64 buckets to each power of two, so a value is off by less than 1 %.
#pragma once
#include <stdint.h>

enum { HISTOGRAM_SUB = 64, HISTOGRAM_BUCKETS = HISTOGRAM_SUB * 40 };

typedef struct {
  uint64_t count;
  uint64_t buckets[HISTOGRAM_BUCKETS];
} Histogram;

void histogram_record(Histogram* h, uint64_t ns);

// The smallest value that `fraction` of what was recorded does not exceed, in microseconds; 0 when nothing was.
double histogram_quantile_us(const Histogram* h, double fraction);
