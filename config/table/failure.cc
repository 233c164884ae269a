// Limits, queue, circuit breaker and retries of a server group.
#include "config/table/failure.h"

#include "config/table/table.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

using namespace std::chrono_literals;

Type<Retries> on_or_off() {
  const Type<bool> word = boolean();
  return {word.info,
          [word](Decoder& d, const Node& node, Retries& out) {
            bool on = true;
            if (!word.decode(d, node, on)) return false;
            out = {};
            if (!on) out.tries = Value<std::uint32_t>(1, node.at);
            return true;
          },
          [](const Retries& retries) { return Json(*retries.tries > 1); }};
}

}  // namespace

Type<Codes> status_codes() {
  TypeInfo info{"status codes", "`2xx`, `204` or `200-399`", {}};
  info.schema = pattern_schema("^([1-5][xX][xX]|[1-5][0-9][0-9](-[1-5][0-9][0-9])?)$", true);
  return {std::move(info),
          [](Decoder& d, const Node& node, Codes& out) {
            const auto text = d.text(node);
            return text && take(d, node, parse_codes(*text), out);
          },
          [](const Codes& codes) { return Json(codes_to_text(codes)); }};
}

const Object<CircuitBreaker>& circuit_breaker_table() {
  static const Object<CircuitBreaker> table = [] {
    Object<CircuitBreaker> t(
        "circuit_breaker",
        "Stops forwarding to a group while too many of its requests fail. `{}` takes every default.");
    t.field("failure_percent", &CircuitBreaker::failure_percent, number(1, 100),
            "The percentage of failed requests in a window that opens the circuit. Failures are counted as for "
            "`passive_check`.");
    t.field("min_requests", &CircuitBreaker::min_requests, number(1, 100'000),
            "The number of requests that a window needs before it can open the circuit.");
    t.field("window", &CircuitBreaker::window, duration(1s, 300s), "The length of a window.");
    t.field("open", &CircuitBreaker::open, duration(1s, 300s),
            "How long nothing is forwarded. After that, one request tries the group.");
    return t;
  }();
  return table;
}

const Object<Retries>& retries_table() {
  static const Object<Retries> table = [] {
    using On = Retries::On;
    Object<Retries> t("retries", "When a failed request is tried again, on another server if there is one.");
    t.field("tries", &Retries::tries, number(1, 5), "The largest number of tries, including the first.");
    t.field("per_try_timeout", &Retries::per_try_timeout, duration(10ms, 3600s),
            "The longest time of one try, from the end of the request to the head of the response. `timeouts.response` "
            "covers all tries together.")
        .otherwise("none");
    t.field(
        "on", &Retries::on,
        list_of<On>(choice<On>({{"connect", On::kConnect}, {"reset", On::kReset}, {"timeout", On::kTimeout}}), 1, true),
        "The failures after which the request is tried again. connect: no connection was made. reset: a reused "
        "connection ended before the response. timeout: `per_try_timeout` has passed. reset and timeout apply to "
        "idempotent methods only.");
    t.field("codes", &Retries::codes, list_of<Codes>(status_codes(), 1, true),
            "The status codes after which an idempotent request is tried again.")
        .otherwise("none");
    t.field("budget", &Retries::budget, number(1, 100),
            "The largest number of retries, in percent of the active requests. Ten per second are always allowed.");
    return t;
  }();
  return table;
}

const Object<Queue>& queue_table() {
  static const Object<Queue> table = [] {
    Object<Queue> t(
        "queue",
        "Where requests wait, in the order of their arrival, while `max_requests` or `max_connections` is reached.");
    t.field("size", &Queue::size, number(0, 100'000),
            "The largest number of waiting requests. Further requests get 503.");
    t.field("timeout", &Queue::timeout, duration(10ms, 300s),
            "The longest time that a request waits. After that it gets 503.");
    return t;
  }();
  return table;
}

void add_failure_fields(Object<ServerGroup>& t) {
  t.field("retries", &ServerGroup::retries, scalar_or(on_or_off(), object("retries", retries_table, "{tries: 3}")),
          "When a failed request is tried again. `false` turns retries off.");
  t.field("max_requests", &ServerGroup::max_requests, number(1, 1'000'000),
          "The largest number of requests in flight in the group.")
      .otherwise("no limit");
  t.field(
       "max_connections", &ServerGroup::max_connections, number(1, 1'000'000),
       "The largest number of connections to the servers of the group, divided among the workers, at least one each.")
      .otherwise("no limit");
  t.field("queue", &ServerGroup::queue, object("queue", queue_table, "{size: 100}"),
          "Where requests wait while a limit is reached.");
}

}  // namespace albatross::config
