// One client connection: connect, handshake, ask, read the answer, ask again. All connections of a Load are driven by
// one thread; the Load owns them and outlives them.
#pragma once
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdint.h>

#include "histogram.h"

enum { MAX_HEAD = 16384 };

typedef enum { CLOSED, CONNECTING, HANDSHAKE, FREE, WAITING } State;

typedef struct {
  int fd;
  State state;
  int waits_to_write, close_after, asked;
  uint64_t since;  // when the request was due, or the connection begun if each request has its own
  const char* out;
  int out_left;
  long body_left;  // -1: the head is not complete
  int head_length;
  SSL* ssl;
  char head[MAX_HEAD];
} Conn;

typedef struct {
  char* bytes;
  int length;
} Request;

typedef struct {
  // What to do.
  struct sockaddr_in target;
  int connections, tls, resume, connection_per_request, idle;
  double rate;  // requests a second for an open loop; 0: a closed loop
  Request* requests;
  int request_count;
  uint64_t measure_from, end;

  // The state of it.
  int epoll_fd;
  SSL_CTX* tls_context;
  SSL_SESSION* session;
  Conn* all;
  uint64_t asked;
  int* free_stack;  // connections that wait for the open loop's next request, or that are idle for good
  int free_count;
  uint64_t* due;  // a ring of requests whose time has come and that found no free connection
  uint64_t due_head, due_tail;

  // What came of it.
  Histogram latency;
  uint64_t done, measured, errors, not_200, bytes, opened, resumed;
} Load;

enum { DUE_RING = 1 << 20 };

uint64_t now_ns(void);

SSL_CTX* make_tls_context(Load* load);
void open_connection(Load* load, Conn* c);
void on_event(Load* load, Conn* c, uint32_t events);

// Sends the next request on a free connection; `due` is the time that its latency counts from.
void ask(Load* load, Conn* c, uint64_t due);
