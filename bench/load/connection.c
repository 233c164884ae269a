#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TOO_MANY_ERRORS = 20000 };

uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void wait_for(Load* load, Conn* c, uint32_t events) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void hang_up(Load* load, Conn* c) {
  if (c->ssl) SSL_shutdown(c->ssl);  // quiet: only keeps the session good for resumption
  SSL_free(c->ssl);
  c->ssl = NULL;
  if (load->connection_per_request) {  // a reset, so that no TIME_WAIT uses up the ports
    struct linger reset = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  close(c->fd);
  c->state = CLOSED;
}

static void remove_free(Load* load, const Conn* c) {
  for (int i = 0; i < load->free_count; i++) {
    if (&load->all[load->free_stack[i]] != c) continue;
    load->free_stack[i] = load->free_stack[--load->free_count];
    return;
  }
}

static void fail(Load* load, Conn* c) {
  ERR_clear_error();
  if (c->state == FREE && (load->idle || load->rate)) remove_free(load, c);
  hang_up(load, c);
  if (now_ns() >= load->end) return;
  if (++load->errors > TOO_MANY_ERRORS) {
    fprintf(stderr, "loadgen: too many errors\n");
    exit(1);
  }
  if (!load->idle) open_connection(load, c);
}

static int write_some(Conn* c) {
  if (!c->ssl) {
    ssize_t n = send(c->fd, c->out, (size_t)c->out_left, MSG_NOSIGNAL);
    return n < 0 ? (errno == EAGAIN ? 0 : -1) : (int)n;
  }
  int n = SSL_write(c->ssl, c->out, c->out_left);
  return n > 0 ? n : (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_WRITE ? 0 : -1);
}

static void write_request(Load* load, Conn* c) {
  while (c->out_left) {
    int n = write_some(c);
    if (n < 0) return fail(load, c);
    if (n == 0) {
      c->waits_to_write = 1;
      return wait_for(load, c, EPOLLIN | EPOLLOUT);
    }
    c->out += n;
    c->out_left -= n;
  }
  if (c->waits_to_write) wait_for(load, c, EPOLLIN);
  c->waits_to_write = 0;
}

void ask(Load* load, Conn* c, uint64_t due) {
  uint64_t k = load->asked++, n = (uint64_t)load->request_count;
  const Request* r = &load->requests[n > 1 ? (k * 7919 + k / n) % n : 0];  // every one in turn, in a scattered order
  c->out = r->bytes;
  c->out_left = r->length;
  c->head_length = 0;
  c->body_left = -1;
  c->state = WAITING;
  c->since = due;
  write_request(load, c);
}

static void on_free(Load* load, Conn* c) {
  if (load->connection_per_request) return ask(load, c, c->since);
  if (!load->idle && !load->rate) return ask(load, c, now_ns());
  if (load->idle && !c->asked) {
    c->asked = 1;
    return ask(load, c, now_ns());
  }
  if (load->rate && load->due_head != load->due_tail) return ask(load, c, load->due[load->due_head++ % DUE_RING]);
  c->state = FREE;
  load->free_stack[load->free_count++] = (int)(c - load->all);
}

static void on_answer(Load* load, Conn* c) {
  uint64_t now = now_ns();
  load->done++;
  if (memcmp(c->head + 9, "200", 3) != 0) load->not_200++;
  if (c->since >= load->measure_from && now <= load->end) {
    load->measured++;
    histogram_record(&load->latency, now - c->since);
  }
  if (now >= load->end && !load->idle) {
    c->state = FREE;
  } else if (load->connection_per_request || c->close_after) {
    hang_up(load, c);
    open_connection(load, c);
  } else {
    on_free(load, c);
  }
}

// Reads the head that ends at `end`: how long the body is, and whether the connection goes on.
static void read_head(Conn* c, const char* end) {
  c->body_left = -1;
  c->close_after = 0;
  for (const char* line = memchr(c->head, '\n', (size_t)(end - c->head)); line && line + 1 < end;
       line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
    if ((line[1] | 32) != 'c') continue;
    if (!strncasecmp(line + 1, "content-length:", 15)) c->body_left = atol(line + 16);
    if (!strncasecmp(line + 1, "connection: close", 17)) c->close_after = 1;
  }
  if (c->body_left < 0) {
    fprintf(stderr, "loadgen: an answer without content-length: %.*s\n", (int)(end - c->head), c->head);
    exit(1);
  }
}

static void on_bytes(Load* load, Conn* c, const char* p, long n) {
  load->bytes += (uint64_t)n;
  if (c->state != WAITING) return fail(load, c);
  if (c->body_left < 0) {
    long room = MAX_HEAD - c->head_length, take = n < room ? n : room;
    memcpy(c->head + c->head_length, p, (size_t)take);
    int seen = c->head_length > 3 ? c->head_length - 3 : 0;
    c->head_length += (int)take;
    const char* end = memmem(c->head + seen, (size_t)(c->head_length - seen), "\r\n\r\n", 4);
    if (!end && c->head_length == MAX_HEAD) return fail(load, c);
    if (!end) return;
    read_head(c, end);
    n -= end + 4 - c->head - (c->head_length - take);
  }
  c->body_left -= n;
  if (c->body_left < 0) return fail(load, c);
  if (c->body_left == 0) on_answer(load, c);
}

static void on_readable(Load* load, Conn* c) {
  static char buffer[1 << 18];
  if (!c->ssl) {
    ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
    if (n > 0) return on_bytes(load, c, buffer, n);
    if (n == 0 || errno != EAGAIN) fail(load, c);
    return;
  }
  SSL* ssl = c->ssl;
  do {
    int n = SSL_read(ssl, buffer, sizeof buffer);
    if (n <= 0) {
      if (SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ) fail(load, c);
      return;
    }
    on_bytes(load, c, buffer, n);
  } while (c->ssl == ssl && SSL_has_pending(ssl));
}

static void handshake(Load* load, Conn* c) {
  int r = SSL_do_handshake(c->ssl);
  if (r == 1) {
    load->resumed += (uint64_t)SSL_session_reused(c->ssl);
    wait_for(load, c, EPOLLIN);
    return on_free(load, c);
  }
  switch (SSL_get_error(c->ssl, r)) {
    case SSL_ERROR_WANT_READ: return wait_for(load, c, EPOLLIN);
    case SSL_ERROR_WANT_WRITE: return wait_for(load, c, EPOLLOUT);
    default: return fail(load, c);
  }
}

static void on_connected(Load* load, Conn* c) {
  load->opened++;
  if (!load->tls) {
    wait_for(load, c, EPOLLIN);
    return on_free(load, c);
  }
  c->ssl = SSL_new(load->tls_context);
  SSL_set_fd(c->ssl, c->fd);
  SSL_set_tlsext_host_name(c->ssl, "bench.test");
  SSL_set_quiet_shutdown(c->ssl, 1);
  SSL_set_connect_state(c->ssl);
  if (load->session) SSL_set_session(c->ssl, load->session);
  c->state = HANDSHAKE;
  handshake(load, c);
}

void open_connection(Load* load, Conn* c) {
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (load->idle || load->connection_per_request) {  // more ports than one source address has
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f000002U + (uint32_t)((c - load->all) % 8))};
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    bind(c->fd, (struct sockaddr*)&from, sizeof from);
  }
  c->state = CONNECTING;
  c->waits_to_write = 0;
  c->since = now_ns();
  int r = connect(c->fd, (struct sockaddr*)&load->target, sizeof load->target);
  struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
  if ((r && errno != EINPROGRESS) || epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, c->fd, &e)) {
    perror("loadgen: connect");
    exit(1);
  }
}

void on_event(Load* load, Conn* c, uint32_t events) {
  switch (c->state) {
    case CLOSED: return;
    case CONNECTING: return events & (EPOLLERR | EPOLLHUP) ? fail(load, c) : on_connected(load, c);
    case HANDSHAKE: return handshake(load, c);
    default:
      if (c->waits_to_write && (events & EPOLLOUT)) write_request(load, c);
      if (c->state != CLOSED && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) on_readable(load, c);
  }
}

static int on_new_session(SSL* ssl, SSL_SESSION* session) {
  Load* load = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  if (!load->resume) return 0;
  SSL_SESSION_free(load->session);
  load->session = session;
  return 1;
}

SSL_CTX* make_tls_context(Load* load) {
  SSL_CTX* tls = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_app_data(tls, load);
  SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_alpn_protos(tls, (const unsigned char*)"\x08http/1.1", 9);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(tls, on_new_session);
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (load->idle) {
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
  } else {
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_default_read_buffer_len(tls, 65536);
  }
  return tls;
}
