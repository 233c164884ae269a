#include "histogram.h"

#include <math.h>

void histogram_record(Histogram* h, uint64_t ns) {
  uint64_t bucket = ns;
  if (ns >= HISTOGRAM_SUB) {
    int shift = 63 - __builtin_clzll(ns) - 6;
    bucket = (uint64_t)(shift + 1) * HISTOGRAM_SUB + ((ns >> shift) - HISTOGRAM_SUB);
  }
  if (bucket >= HISTOGRAM_BUCKETS) bucket = HISTOGRAM_BUCKETS - 1;
  h->buckets[bucket]++;
  h->count++;
}

static double middle_of(int bucket) {
  if (bucket < HISTOGRAM_SUB) return bucket;
  int shift = bucket / HISTOGRAM_SUB - 1;
  uint64_t low = (uint64_t)(bucket % HISTOGRAM_SUB + HISTOGRAM_SUB) << shift;
  return (double)low + (double)(1ULL << shift) / 2;
}

double histogram_quantile_us(const Histogram* h, double fraction) {
  uint64_t wanted = (uint64_t)ceil((double)h->count * fraction), seen = 0;
  for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
    seen += h->buckets[i];
    if (seen && seen >= wanted) return middle_of(i) / 1000;
  }
  return 0;
}
