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
        "A group that fails gets no requests for a while, then one that tries it; `{}` takes every default.");
    t.field("failure_percent", &CircuitBreaker::failure_percent, number(1, 100),
            "Of the requests in a window, as `passive_check` counts them.");
    t.field("min_requests", &CircuitBreaker::min_requests, number(1, 100'000), "A window with fewer says nothing.");
    t.field("window", &CircuitBreaker::window, duration(1s, 300s), "How long is counted.");
    t.field("open", &CircuitBreaker::open, duration(1s, 300s), "How long nothing is forwarded.");
    return t;
  }();
  return table;
}

const Object<Retries>& retries_table() {
  static const Object<Retries> table = [] {
    using On = Retries::On;
    Object<Retries> t("retries", "When a request is tried again, on another server if there is one.");
    t.field("tries", &Retries::tries, number(1, 5), "With the first one.");
    t.field("per_try_timeout", &Retries::per_try_timeout, duration(10ms, 3600s),
            "From the end of the request to the head of the answer, for one try; `response` is for all of them.")
        .otherwise("none");
    t.field(
        "on", &Retries::on,
        list_of<On>(choice<On>({{"connect", On::kConnect}, {"reset", On::kReset}, {"timeout", On::kTimeout}}), 1, true),
        "connect: no connection. reset: a reused one died before an answer. timeout: per_try_timeout, if the "
        "method is idempotent.");
    t.field("codes", &Retries::codes, list_of<Codes>(status_codes(), 1, true),
            "Answers after which an idempotent request is tried again.")
        .otherwise("none");
    t.field("budget", &Retries::budget, number(1, 100), "Percent of the active requests, and ten a second at least.");
    return t;
  }();
  return table;
}

const Object<Queue>& queue_table() {
  static const Object<Queue> table = [] {
    Object<Queue> t(
        "queue", "Where requests wait, first come first served, while `max_requests` or `max_connections` is reached.");
    t.field("size", &Queue::size, number(0, 100'000), "How many wait; those beyond get 503.");
    t.field("timeout", &Queue::timeout, duration(10ms, 300s), "How long one waits; then 503.");
    return t;
  }();
  return table;
}

void add_failure_fields(Object<ServerGroup>& t) {
  t.field("retries", &ServerGroup::retries, scalar_or(on_or_off(), object("retries", retries_table, "{tries: 3}")),
          "Tries of a request that cannot have had an effect; false for one.");
  t.field("max_requests", &ServerGroup::max_requests, number(1, 1'000'000), "Requests in flight on the group at most.")
      .otherwise("any number");
  t.field("max_connections", &ServerGroup::max_connections, number(1, 1'000'000),
          "Connections to its servers at most, divided by the workers, at least one each.")
      .otherwise("any number");
  t.field("queue", &ServerGroup::queue, object("queue", queue_table, "{size: 100}"), "What waits when it is full.");
}

}  // namespace albatross::config
