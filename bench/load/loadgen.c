// An HTTP/1.1 load generator for loopback: one thread, epoll, plain or TLS 1.3. Prints one JSON object.
//   loadgen -c 64 -d 3 127.0.0.1:PORT            a closed loop: each connection asks again when it is answered
//   loadgen -c 64 -d 3 -r 5000 127.0.0.1:PORT    an open loop: latency counts from the time a request was due
//   loadgen -i -c 5000 -d 60 127.0.0.1:PORT      opens, asks once on each, prints READY, holds them until stdin ends
// -p PATH and -H HOST may hold a %d, replaced by 0..N-1 with -n N; -t TLS; -1 a connection for each request; -s resumes
// its TLS session; -w SECONDS of warm-up that are not measured.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "connection.h"

static void usage(void) {
  fprintf(
      stderr,
      "usage: loadgen [-c N] [-d S] [-w S] [-r RATE] [-p PATH] [-H HOST] [-n N] [-1] [-s] [-t] [-i] 127.x.x.x:PORT\n");
  exit(2);
}

static void parse_target(Load* load, char* text) {
  char* colon = text ? strchr(text, ':') : NULL;
  if (!colon) usage();
  *colon = 0;
  load->target.sin_family = AF_INET;
  load->target.sin_port = htons((uint16_t)atoi(colon + 1));
  if (inet_pton(AF_INET, text, &load->target.sin_addr) != 1 || ntohl(load->target.sin_addr.s_addr) >> 24 != 127)
    usage();
}

static void expand(char* out, size_t size, const char* pattern, int i) {
  const char* mark = strstr(pattern, "%d");
  if (mark) {
    snprintf(out, size, "%.*s%d%s", (int)(mark - pattern), pattern, i, mark + 2);
  } else {
    snprintf(out, size, "%s", pattern);
  }
}

static void make_requests(Load* load, const char* path, const char* host) {
  load->requests = calloc((size_t)load->request_count, sizeof *load->requests);
  for (int i = 0; i < load->request_count; i++) {
    char p[512], h[256];
    expand(p, sizeof p, path, i);
    expand(h, sizeof h, host, i);
    load->requests[i].length = asprintf(
        &load->requests[i].bytes, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: loadgen/1\r\nAccept: */*\r\n\r\n", p, h);
  }
}

// Opens what is still to be opened: all at once, or by 64 at a time where thousands are to stay idle.
static int open_some(Load* load, int opened) {
  int pending = opened - load->free_count - (int)load->errors;
  int until = load->idle && opened + 64 - pending < load->connections ? opened + 64 - pending : load->connections;
  while (opened < until) open_connection(load, &load->all[opened++]);
  return opened;
}

// Starts what is due by now; returns how long nothing more is, in nanoseconds.
static long run_schedule(Load* load, double* next) {
  enum { LONGEST = 100000000 };
  if (!load->rate) return LONGEST;
  for (uint64_t now = now_ns(); *next <= (double)now; now = now_ns()) {
    if (load->free_count) {
      ask(load, &load->all[load->free_stack[--load->free_count]], (uint64_t)*next);
    } else if (load->due_tail - load->due_head < DUE_RING) {
      load->due[load->due_tail++ % DUE_RING] = (uint64_t)*next;
    }
    *next += 1e9 / load->rate;
  }
  double wait = *next - (double)now_ns();
  return wait < 0 ? 0 : wait < LONGEST ? (long)wait : LONGEST;
}

static void run(Load* load) {
  struct epoll_event events[512];
  double next = (double)now_ns() + 5e7;
  int opened = 0;
  while (now_ns() < load->end) {
    opened = open_some(load, opened);
    if (load->idle && load->free_count + (int)load->errors >= load->connections) return;
    struct timespec wait = {0, run_schedule(load, &next)};
    int n = epoll_pwait2(load->epoll_fd, events, 512, &wait, NULL);
    for (int i = 0; i < n; i++) on_event(load, events[i].data.ptr, events[i].events);
  }
}

static void hold_until_eof(const Load* load) {
  printf("READY %d errors %lu\n", load->free_count, load->errors);
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

static void report(const Load* load) {
  const Histogram* h = &load->latency;
  printf(
      "{\"requests\":%lu,\"all\":%lu,\"rps\":%.1f,\"errors\":%lu,\"not_200\":%lu,\"connections\":%lu,\"resumed\":%lu,"
      "\"mb\":%.1f,\"unsent\":%lu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}\n",
      load->measured, load->done, (double)load->measured * 1e9 / (double)(load->end - load->measure_from), load->errors,
      load->not_200, load->opened, load->resumed, (double)load->bytes / 1e6, load->due_tail - load->due_head,
      histogram_quantile_us(h, .5), histogram_quantile_us(h, .9), histogram_quantile_us(h, .99),
      histogram_quantile_us(h, .999), histogram_quantile_us(h, 1));
}

int main(int argc, char** argv) {
  static Load load = {.connections = 64, .request_count = 1};
  double seconds = 3, warm_up = 0.4;
  const char *path = "/1k", *host = "bench.test";
  for (int o; (o = getopt(argc, argv, "c:d:r:p:H:n:w:1sti")) != -1;) {
    switch (o) {
      case 'c': load.connections = atoi(optarg); break;
      case 'd': seconds = atof(optarg); break;
      case 'r': load.rate = atof(optarg); break;
      case 'p': path = optarg; break;
      case 'H': host = optarg; break;
      case 'n': load.request_count = atoi(optarg); break;
      case 'w': warm_up = atof(optarg); break;
      case '1': load.connection_per_request = 1; break;
      case 's': load.resume = 1; break;
      case 't': load.tls = 1; break;
      case 'i': load.idle = 1; break;
      default: usage();
    }
  }
  parse_target(&load, argv[optind]);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  make_requests(&load, path, host);
  if (load.tls) load.tls_context = make_tls_context(&load);
  load.epoll_fd = epoll_create1(0);
  load.all = calloc((size_t)load.connections, sizeof *load.all);
  load.free_stack = calloc((size_t)load.connections, sizeof *load.free_stack);
  if (load.rate) load.due = calloc(DUE_RING, sizeof *load.due);
  load.measure_from = now_ns() + (uint64_t)(warm_up * 1e9);
  load.end = load.measure_from + (uint64_t)(seconds * 1e9);
  run(&load);
  if (load.idle) {
    hold_until_eof(&load);
  } else {
    report(&load);
  }
  return 0;
}
