// One worker's search for the first rule of a table that holds, with its own regexes and scratch memory.
//
// Owned and used by one worker; the compiled rules are shared. The scratch grows to what requests need and is kept.
// After that only RE2 itself allocates: for a new DFA state, or for the captures of an ambiguous regex.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "routing/rules/regex.h"
#include "routing/rules/regex_sets.h"
#include "routing/rules/rule_table_compiled.h"

namespace albatross {

class RuleMatcher final : public RuleTable::Matcher {
 public:
  explicit RuleMatcher(std::shared_ptr<const CompiledRules> rules);

  RouteMatch match(const RouteQuery& query) override;
  std::uint64_t regex_fallbacks() const override { return sets_.fallbacks(); }

  // Called by RegexSets::search().
  bool may_win(std::uint32_t rule) const { return rule < best_; }
  bool take(const RuleEntry& entry);

 private:
  // What is known about a header, cookie or parameter in this request. Most occur once or not at all.
  struct Slot {
    std::uint64_t generation = 0;
    std::string_view first;
    bool found = false;
    bool more = false;
  };

  void begin(const RouteQuery& query);
  void collect(std::uint32_t bucket);
  void search_lists();
  bool search_list(RuleList& list, std::uint32_t last);
  void search_regexes();

  bool accepts(const RuleEntry& entry);
  bool value_matches(std::uint32_t value, std::string_view subject) const;
  bool any_value(Range values, std::string_view subject) const;
  bool holds(const Check& check);
  bool group_is(const Check& check, bool any);
  bool named_value(const Check& check, std::string_view text) const;
  bool named_holds(const Check& check);
  bool source_holds(Range networks) const;
  bool time_holds(Range schedules) const;
  bool sni_holds(Range values);

  const Slot& look_up(std::uint32_t name);
  template <class Visit>
  bool any_named(const NamedSubject& name, Visit&& visit) const;
  void capture(RouteMatch& match) const;

  const std::shared_ptr<const CompiledRules> rules_;
  const Programs& programs_;
  const RuleIndex& index_;
  RegexBank regexes_;
  RegexSets sets_;
  bool looks_at_query_ = false;

  // Of the current request.
  const RouteQuery* query_ = nullptr;
  std::uint32_t best_ = 0;
  std::uint64_t generation_ = 0;
  std::string host_;  // lower case, bare
  std::string sni_;   // lower case, for one check at a time
  std::vector<RuleList> lists_;
  std::vector<std::uint32_t> buckets_;
  std::vector<Slot> slots_;    // by name
  std::vector<char> decoded_;  // the text that slots of query parameters point to
  std::size_t decoded_size_ = 0;
  std::vector<char> repeated_;  // a further value of a parameter, one at a time
};

}  // namespace albatross
