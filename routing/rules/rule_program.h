// A listener's rules, compiled: all values with their numbers, and for each rule the checks that the index does not
// decide.
//
// Built by a ProgramBuilder on one thread, then const and shared by all matchers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "http/header_id.h"
#include "routing/rules/regex.h"
#include "routing/rules/text_matcher.h"
#include "routing/rules/time_window.h"

namespace albatross {

// A header, cookie or query parameter that a rule checks. It is looked up once for each request.
struct NamedSubject {
  config::Condition::Kind kind = config::Condition::Kind::kHeader;
  HeaderId id = HeaderId::kOther;
  std::string name;
};

// The elements [begin, end) of some vector.
struct Range {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

// One condition: it holds if any of its values matches or, negated, if none does.
struct Check {
  config::Condition::Kind kind = config::Condition::Kind::kHost;
  bool negated = false;
  std::uint32_t name = 0;  // kHeader, kCookie, kQuery: which NamedSubject
  Range values;  // of networks for kSourceIp, of schedules for kTime, of inner checks for kAll and kAny, else of values
};

struct RuleProgram {
  Range checks;    // without those that the index decides
  Range captures;  // path regexes: the first that matches sets ${1}; empty if none has groups
};

struct Programs {
  std::vector<RuleProgram> rules;
  std::vector<Check> checks;
  std::vector<Check> inner;  // of kAll and kAny
  std::vector<TextMatcher> values;
  std::vector<Network> networks;
  std::vector<TimeSchedule> schedules;
  std::vector<NamedSubject> names;
  std::vector<std::uint32_t> captures;  // of values
  RegexTexts regexes;
};

// The values by which the index leads to a rule. Without a host (path) condition, every host (path) leads to it.
struct IndexKeys {
  bool has_host = false;
  bool has_path = false;
  Range host;
  Range path;
};

class ProgramBuilder {
 public:
  ProgramBuilder(Programs& programs, const RegexBudget& budget, config::Diagnostics& out)
      : programs_(programs), budget_(budget), out_(out) {}

  // Compiles a rule, whose path is `path`: "listeners[0].rules[3]". Its first host and first path condition become keys
  // of the index, unless there are too many pairs of them.
  IndexKeys add(const config::Rule& rule, const std::string& path);

 private:
  Check compile(const config::Condition& condition, const std::string& path);
  Check compile_group(const config::Condition& condition, const std::string& path);
  Range compile_time(const config::TimeWindow& window, const std::string& path);
  Range compile_values(const config::Condition& condition, const std::string& path);
  TextMatcher compile_regex(const config::Pattern& pattern, bool ignore_case, const std::string& path);
  std::uint32_t name_of(const config::Condition& condition);
  Range add_captures(const config::Rule& rule, const std::vector<Check>& compiled);

  Programs& programs_;
  const RegexBudget& budget_;
  config::Diagnostics& out_;
  std::map<std::pair<config::Condition::Kind, std::string>, std::uint32_t> names_;
  std::map<std::string, std::uint32_t> schedules_;  // by their windows
};

}  // namespace albatross
