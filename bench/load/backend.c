// The cheapest HTTP/1.1 server that keeps connections: one thread, level-triggered epoll, prepared answers.
// The last path segment is the body's size: /1k, /64k, /any/prefix/1m; anything else gets 1 KiB.
//   backend PORT [COUNT]       as many ports from that one on
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT = 16384, ANSWERS = 24, MAX_BODY = 64 << 20 };

typedef struct {
  int fd, have, close_after, waits_to_write;
  long skip;  // bytes of a request body still to be read over
  const char* out;
  long out_left;
  char in[INPUT];
} Conn;

typedef struct {
  long body, length;
  char* bytes;
} Answer;

static Answer answers[ANSWERS];
static int epoll_fd;

static const Answer* answer_of(long body) {
  for (int i = 0; i < ANSWERS; i++) {
    Answer* a = &answers[i];
    if (!a->bytes) {
      char head[128];
      int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %ld\r\n\r\n",
                       body);
      *a = (Answer){.body = body, .length = n + body, .bytes = malloc((size_t)(n + body))};
      memcpy(a->bytes, head, (size_t)n);
      memset(a->bytes + n, 'x', (size_t)body);
    }
    if (a->body == body) return a;
  }
  return &answers[0];
}

static void wait_for(Conn* c, int writing) {
  if (c->waits_to_write == writing) return;
  struct epoll_event e = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
  c->waits_to_write = writing;
}

// 1: all written, 0: would block, -1: the connection is broken.
static int write_out(Conn* c) {
  while (c->out_left) {
    ssize_t n = send(c->fd, c->out, (size_t)c->out_left, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return -1;
    if (n < 0) {
      wait_for(c, 1);
      return 0;
    }
    c->out += n;
    c->out_left -= n;
  }
  wait_for(c, 0);
  return 1;
}

static void consume(Conn* c, long n) {
  memmove(c->in, c->in + n, (size_t)(c->have - n));
  c->have -= (int)n;
}

// The size that the target's last segment asks for; `end` is the byte after the target.
static long body_size(const char* target, const char* end) {
  const char* segment = end;
  while (segment > target && segment[-1] != '/') segment--;
  const char* p = segment;
  long size = 0;
  while (p < end && *p >= '0' && *p <= '9' && size <= MAX_BODY) size = size * 10 + (*p++ - '0');
  if (p == segment) return 1024;
  if (p < end && *p == 'k') size <<= 10;
  if (p < end && *p == 'm') size <<= 20;
  return size <= MAX_BODY ? size : 1024;
}

static void read_fields(Conn* c, const char* line, const char* end) {
  for (line = memchr(line, '\n', (size_t)(end - line)); line && line + 1 < end;
       line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
    if (!strncasecmp(line + 1, "content-length:", 15)) c->skip = atol(line + 16);
    if (!strncasecmp(line + 1, "connection: close", 17)) c->close_after = 1;
  }
}

// Answers every whole request in the buffer. -1: the connection is to be closed.
static int serve(Conn* c) {
  for (;;) {
    if (c->out_left) {
      int written = write_out(c);
      if (written < 1) return written;
      if (c->close_after) return -1;
    }
    long over = c->skip < c->have ? c->skip : c->have;
    if (over) consume(c, over);
    c->skip -= over;
    if (c->skip) return 0;
    char* end = memmem(c->in, (size_t)c->have, "\r\n\r\n", 4);
    if (!end) return c->have == INPUT ? -1 : 0;
    char* target = memchr(c->in, ' ', (size_t)(end - c->in));
    char* after = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
    if (!after) return -1;
    const Answer* a = answer_of(body_size(target + 1, after));
    read_fields(c, after, end);
    consume(c, end + 4 - c->in);
    c->out = a->bytes;
    c->out_left = a->length;
  }
}

static void accept_all(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Conn* c = calloc(1, sizeof *c);
    c->fd = fd;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
  }
}

static void drop(Conn* c) {
  close(c->fd);
  free(c);
}

static void on_event(Conn* c, uint32_t events) {
  if (!(events & EPOLLOUT)) {
    ssize_t n = recv(c->fd, c->in + c->have, (size_t)(INPUT - c->have), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return drop(c);
    c->have += (int)n;
  }
  if (serve(c) < 0) drop(c);
}

// Its event is the descriptor and a one; those of connections are pointers, which are even.
static void listen_on(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr*)&at, sizeof at) || listen(listener, 4096)) {
    perror("backend: bind");
    exit(1);
  }
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)listener << 1 | 1};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
}

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    fprintf(stderr, "usage: backend PORT [COUNT]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epoll_fd = epoll_create1(0);
  for (int i = 0; i < (argc == 3 ? atoi(argv[2]) : 1); i++) listen_on(atoi(argv[1]) + i);
  struct epoll_event events[256];
  for (;;) {
    int n = epoll_wait(epoll_fd, events, 256, -1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.u64 & 1) {
        accept_all((int)(events[i].data.u64 >> 1));
      } else {
        on_event(events[i].data.ptr, events[i].events);
      }
    }
  }
}
